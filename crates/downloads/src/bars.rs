//! What is shown while files are on their way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hub_download::DownloadEvent;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Where no bar is seen, how far a file is is told first after this time, then after twice as long
/// each time.
const FIRST_LINE: Duration = Duration::from_secs(4);
/// The longest such time.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A bar for each file on its way.
#[derive(Default)]
pub(crate) struct Bars {
    all: MultiProgress,
    files: Mutex<BTreeMap<String, OnItsWay>>,
}

/// A file on its way.
struct OnItsWay {
    bar: ProgressBar,
    /// When how far it is was told last, and after what time it is told again.
    told: Instant,
    silence: Duration,
}

impl OnItsWay {
    /// How far it is, where that is due.
    fn line(&mut self, bytes: u64) -> Option<String> {
        if self.told.elapsed() < self.silence {
            return None;
        }
        (self.told, self.silence) = (Instant::now(), (2 * self.silence).min(LONGEST_SILENCE));
        let whole = self.bar.length().filter(|length| *length > 0);
        let whole = whole.map_or_else(String::new, |length| format!(" of {}", HumanBytes(length)));
        Some(format!("{}: {}{whole}", self.bar.message(), HumanBytes(bytes)))
    }
}

impl Bars {
    /// Takes the bars away.
    pub(crate) fn clear(&self) -> std::io::Result<()> {
        self.all.clear()
    }

    /// Says something beside the bars. Servers' words cannot move the cursor or change colours.
    pub(crate) fn say(&self, text: &str) {
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        if self.all.is_hidden() || self.all.println(&text).is_err() {
            // Where standard error is closed, nobody wants to know.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Shows what happens to a file.
    pub(crate) fn show(&self, event: &DownloadEvent<'_>) {
        let Ok(mut files) = self.files.lock() else { return };
        let say = |text: String| self.say(&text);
        match event {
            DownloadEvent::Present { file } => say(format!("{file}: here already")),
            DownloadEvent::Started { file, size, resumed } => {
                let style = ProgressStyle::with_template(
                    "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = ProgressBar::new(*size).with_style(style).with_position(*resumed);
                let bar = self.all.add(bar.with_message(file.to_string()));
                let on_its_way = OnItsWay { bar, told: Instant::now(), silence: FIRST_LINE };
                files.insert(file.to_string(), on_its_way);
            }
            DownloadEvent::Advanced { file, bytes } => {
                let Some(on_its_way) = files.get_mut(*file) else { return };
                on_its_way.bar.set_position(*bytes);
                if let Some(line) = on_its_way.line(*bytes).filter(|_| self.all.is_hidden()) {
                    say(line);
                }
            }
            DownloadEvent::Damaged { file, reason } => {
                say(format!("{file}: damaged, fetched again: {reason}"));
            }
            DownloadEvent::Waiting { file, time } => {
                say(format!("{file}: still waiting, {} s", time.as_secs()));
            }
            DownloadEvent::Retrying { file, reason, pause } => {
                say(format!("{file}: {reason}; again in {} s", pause.as_secs()));
            }
            DownloadEvent::OtherSource { package, reason, next } => {
                say(format!("{package}: {reason}; {next} is asked instead"));
            }
            DownloadEvent::Finished { file, verified } => {
                if let Some(OnItsWay { bar, .. }) = files.remove(*file) {
                    bar.finish_and_clear();
                }
                let hash = if *verified { "hash verified" } else { "no hash is known of it" };
                say(format!("{file}: complete, {hash}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_ever_more_rarely() {
        let bar = ProgressBar::hidden().with_message("f");
        bar.set_length(4096);
        let mut file = OnItsWay { bar, told: Instant::now(), silence: Duration::ZERO };
        assert_eq!(file.line(1024).as_deref(), Some("f: 1.00 KiB of 4.00 KiB"));
        file.silence = LONGEST_SILENCE;
        assert_eq!(file.line(2048), None);
        file.told -= LONGEST_SILENCE;
        assert!(file.line(2048).is_some());
        assert_eq!(file.silence, LONGEST_SILENCE);
    }
}
