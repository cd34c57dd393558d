//! What is shown while files are on their way.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hub::DownloadEvent;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// A bar for each file on its way.
#[derive(Default)]
pub(crate) struct Bars {
    all: MultiProgress,
    files: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    pub(crate) fn clear(&self) -> std::io::Result<()> {
        self.all.clear()
    }

    pub(crate) fn show(&self, event: &DownloadEvent<'_>) {
        let Ok(mut files) = self.files.lock() else { return };
        let say = |text: String| {
            if self.all.println(&text).is_err() || self.all.is_hidden() {
                eprintln!("{text}");
            }
        };
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
            DownloadEvent::Retrying { file, reason } => say(format!("{file}: {reason}; again")),
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
