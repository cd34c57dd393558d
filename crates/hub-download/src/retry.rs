//! How often something that failed is tried again.

use std::time::Duration;

use crate::options::{DownloadEvent, DownloadOptions, Listener};

/// Longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Bytes of a file that count as progress.
pub(crate) const LEAST_PROGRESS: u64 = 1 << 13;

/// The failures of one file so far.
pub(crate) struct Retry<'a> {
    file: &'a str,
    attempts: usize,
    pause: Duration,
    listen: Listener<'a>,
    failures: usize,
    most: u64,
}

impl<'a> Retry<'a> {
    /// No failure yet, and `bytes` of `file` here.
    pub(crate) fn new(
        file: &'a str,
        bytes: u64,
        options: &DownloadOptions,
        listen: Listener<'a>,
    ) -> Self {
        let attempts = options.attempts.max(1);
        Self { file, attempts, pause: options.pause, listen, failures: 0, most: bytes }
    }

    /// Counts a failure that left `bytes` of the file here; says so, pauses and returns `true`
    /// where it should be tried again.
    ///
    /// Only [`LEAST_PROGRESS`] more bytes than there were at the last progress count as such: a server
    /// that breaks off, refuses to go on there and breaks off again has an end, and so has one that
    /// sends a byte at a time.
    pub(crate) fn again(&mut self, bytes: u64, reason: &str, asked: Option<Duration>) -> bool {
        let progress = bytes >= self.most.saturating_add(LEAST_PROGRESS);
        self.failures = if progress { 1 } else { self.failures + 1 };
        if progress {
            self.most = bytes;
        }
        if self.failures >= self.attempts {
            return false;
        }
        let doubled = self.pause.saturating_mul(1 << (self.failures - 1).min(6));
        let pause = asked.unwrap_or(doubled).min(LONGEST_PAUSE);
        (self.listen)(DownloadEvent::Retrying { file: self.file, reason, pause });
        std::thread::sleep(pause);
        true
    }

    /// Failures in a row without progress.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_only_more_than_ever_is_progress() {
        let options =
            DownloadOptions { attempts: 3, pause: Duration::ZERO, ..DownloadOptions::default() };
        let mut retry = Retry::new("f", 10, &options, &|_| {});
        assert!(retry.again(100_000, "broke", None));
        assert!(retry.again(0, "416", None));
        assert!(!retry.again(100_000, "broke", None), "the same bytes again are no progress");
        let mut retry = Retry::new("f", 0, &options, &|_| {});
        for part in 1..20 {
            assert!(retry.again(part * LEAST_PROGRESS, "broke", None));
        }
        let mut retry = Retry::new("f", 0, &options, &|_| {});
        assert!(retry.again(1, "dripped", None) && retry.again(2, "dripped", None));
        assert!(!retry.again(3, "dripped", None), "a byte is no progress");
    }
}
