//! What a run says while it is under way.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reproduce::{Event, Progress};

/// A progress bar, or a line now and then where there is no terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    last: Cell<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} units {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(0).with_style(style), last: Instant::now().into() }
    }

    pub(crate) fn show(&self, event: &Event) {
        match event {
            Event::Progress(progress) => self.advance(progress),
            Event::Damaged(damage) => self.bar.suspend(|| {
                terminal::warn(format_args!("{damage}; it is computed again"));
            }),
        }
    }

    fn advance(&self, progress: &Progress) {
        self.bar.set_length(progress.units as u64);
        self.bar.set_position(progress.done as u64);
        let left = spoken(progress.remaining.as_secs_f64());
        self.bar.set_message(format!("{left} left"));
        if self.bar.is_hidden() && self.last.get().elapsed() > Duration::from_secs(15) {
            self.last.set(Instant::now());
            terminal::note(format_args!("{}/{} units, {left} left", progress.done, progress.units));
        }
    }

    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

/// A duration in seconds as people say it.
pub(crate) fn spoken(seconds: f64) -> String {
    const YEAR: f64 = 365.25 * 24.0;
    match (seconds, seconds / 3600.0) {
        (seconds, _) if seconds < 120.0 => format!("{} s", seconds as u64),
        (_, hours) if hours < 2.0 => format!("{:.1} min", hours * 60.0),
        (_, hours) if hours < YEAR => format!("{hours:.1} h"),
        (_, hours) if hours < 1e4 * YEAR => format!("{:.1} years", hours / YEAR),
        (_, hours) => format!("{:.1e} years", hours / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn spoken_has_words_for_every_duration() {
        let said = [0.4, 119.9, 120.0, 7200.0, 1e8, 1e30].map(spoken);
        assert_eq!(said, ["0 s", "119 s", "2.0 min", "2.0 h", "3.2 years", "3.2e22 years"]);
    }
}
