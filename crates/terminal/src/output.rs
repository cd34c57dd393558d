//! What the program says: results on standard output, everything else on standard error.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use anyhow::Context;

/// The reader of standard output went away.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl std::error::Error for Closed {}

/// Writes a line of text to standard output.
///
/// # Errors
/// [`Closed`] where nobody reads any more; the operating system's word otherwise.
pub fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    write(visible(&text.to_string()).as_bytes())
}

/// Writes a result as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &serde_json::Value) -> anyhow::Result<()> {
    write(&serde_json::to_vec(value)?)
}

/// Writes a result as JSON on several lines.
///
/// # Errors
/// As [`line()`].
pub fn pretty_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    write(&serde_json::to_vec_pretty(value)?)
}

/// Writes out what is still held back.
///
/// # Errors
/// As [`line()`].
pub fn flush() -> anyhow::Result<()> {
    told(io::stdout().flush())
}

fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    told(out.write_all(bytes).and_then(|()| out.write_all(b"\n")))
}

fn told(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        other => other.context("standard output"),
    }
}

/// Writes a line to standard error; where that is closed, nobody wants to know.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(&text.to_string()));
}

/// Writes a warning to standard error.
pub fn warn(text: impl fmt::Display) {
    note(format_args!("warning: {text}"));
}

/// Text with control characters shown as escapes, so that names and messages from files and
/// servers cannot move the cursor or change colours; line ends and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(harmful) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_has_no_control_characters() {
        assert_eq!(visible("ä\tb\n"), "ä\tb\n");
        assert_eq!(visible("a\u{1b}[31mred\r\u{9b}"), "a\\u{1b}[31mred\\r\\u{9b}");
    }
}
