//! What was found, as text and as JSON.

use std::fmt::Write;
use std::path::Path;

use crate::part::PartResult;
use crate::row::Row;

/// A part's results as lines of text.
pub fn of_part(result: &PartResult) -> String {
    let mut text = format!("{} on {} ({:.1} s)", result.part, result.device, result.seconds);
    for row in &result.rows {
        let line = line(result, row);
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {line}");
    }
    if let Some(error) = &result.error {
        let _ = write!(text, "\n  failed: {error}");
    }
    text
}

fn line(result: &PartResult, row: &Row) -> String {
    match row {
        Row::Fact { name, text } => format!("{name}: {text}"),
        Row::Error { name, error, bound: f64::MAX } => format!("{name}: {error:.2e}"),
        Row::Error { name, error, bound } => {
            let verdict = if row.fails() { "BEYOND" } else { "within" };
            format!("{name}: {error:.2e}, {verdict} {bound:.0e}")
        }
        Row::Time { name, first, bytes, .. } => {
            let median = row.median().unwrap_or(f64::NAN);
            let mut line = format!("{name}: {:.2} ms (first {first:.2} s)", 1e3 * median);
            if let Some(bytes) = bytes {
                let _ = write!(line, ", {:.2} GiB", *bytes as f64 / f64::from(1 << 30));
            }
            let theirs = result.pytorch.iter().find(|theirs| theirs.name() == name);
            if let Some(theirs) = theirs.and_then(Row::median) {
                let ratio = median / theirs;
                let _ = write!(line, "; PyTorch {:.2} ms, ratio {ratio:.2}", 1e3 * theirs);
            }
            line
        }
    }
}

/// Writes `gpu-check.json` and `gpu-check.txt`.
pub fn write(folder: &Path, results: &[PartResult]) -> anyhow::Result<()> {
    let text: String = results.iter().map(|result| of_part(result) + "\n").collect();
    files::write_atomically(folder.join("gpu-check.txt"), text)?;
    let json = serde_json::to_vec_pretty(results)?;
    Ok(files::write_atomically(folder.join("gpu-check.json"), json)?)
}
