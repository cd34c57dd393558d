//! What is shown while files are on their way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use hub_download::DownloadEvent;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// A bar for each file on its way.
#[derive(Default)]
pub(crate) struct Bars {
    all: MultiProgress,
    files: Mutex<BTreeMap<String, ProgressBar>>,
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
                files.insert(file.to_string(), self.all.add(bar.with_message(file.to_string())));
            }
            DownloadEvent::Advanced { file, bytes } => {
                if let Some(bar) = files.get(*file) {
                    bar.set_position(*bytes);
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
            DownloadEvent::Finished { file, verified } => {
                if let Some(bar) = files.remove(*file) {
                    bar.finish_and_clear();
                }
                let hash = if *verified { "hash verified" } else { "no hash is known of it" };
                say(format!("{file}: complete, {hash}"));
            }
        }
    }
}
