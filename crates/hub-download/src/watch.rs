//! Breaks the silence: whoever waits for a file is told that it is being waited for.

use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::options::{DownloadEvent, Listener};

/// Does `work` on `file`; whenever its listener hears nothing for `notice`, `listen` is told.
pub(crate) fn watched<T>(
    file: &str,
    notice: Duration,
    listen: Listener<'_>,
    work: impl FnOnce(Listener<'_>) -> T,
) -> T {
    let (working, finished) = channel::<()>();
    let start = Instant::now();
    let heard = Mutex::new(start);
    let heard_at = || heard.lock().map_or(start, |at| *at);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut told = start;
            loop {
                let rest = notice.saturating_sub(heard_at().max(told).elapsed());
                let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(rest) else { return };
                if heard_at().max(told).elapsed() >= notice {
                    listen(DownloadEvent::Waiting { file, time: heard_at().elapsed() });
                    told = Instant::now();
                }
            }
        });
        // Dropped at the end, also of a panic, so that the other thread ends.
        let _working = working;
        work(&|event| {
            if let Ok(mut heard) = heard.lock() {
                *heard = Instant::now();
            }
            listen(event);
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watched_silence_is_told_and_events_end_it() {
        let told = Mutex::new(Vec::new());
        let notice = Duration::from_millis(60);
        watched("f", notice, &|event| told.lock().unwrap().push(format!("{event:?}")), |listen| {
            std::thread::sleep(Duration::from_millis(100));
            for _ in 0..20 {
                listen(DownloadEvent::Present { file: "f" });
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let waiting = |text: &&String| text.starts_with("Waiting");
        let told = told.into_inner().unwrap();
        assert!(told[0].starts_with("Waiting"), "{told:?}");
        assert_eq!(told.iter().filter(waiting).count(), 1, "{told:?}");
    }
}
