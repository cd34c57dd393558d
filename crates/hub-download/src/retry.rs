//! How often something that failed is tried again.

use std::time::Duration;

use crate::options::{DownloadEvent, DownloadOptions, Listener};

/// Longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    /// Only more bytes than there ever were count as progress: a server that breaks off, refuses
    /// to go on there and breaks off again has an end.
    pub(crate) fn again(&mut self, bytes: u64, reason: &str, asked: Option<Duration>) -> bool {
        self.failures = if bytes > self.most { 1 } else { self.failures + 1 };
        self.most = self.most.max(bytes);
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
        assert!(retry.again(100, "broke", None));
        assert!(retry.again(0, "416", None));
        assert!(!retry.again(100, "broke", None), "the same bytes again are no progress");
        let mut retry = Retry::new("f", 0, &options, &|_| {});
        for bytes in 1..20 {
            assert!(retry.again(bytes, "broke", None));
        }
    }
}
