//! Servers that stop: what is waited for has an end, whatever the connection does.
//!
//! `ureq` 2 restarts its time limit with every byte, and has none while it negotiates with a proxy. So
//! what may block is done on a thread of its own, which is left alone when its time is over.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 17;
/// Pieces that wait to be taken.
const AHEAD: usize = 4;

/// What `work` gives, or `None` where it takes longer than `limit`.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        // Where nobody waits any more, nobody wants it.
        let _ = sender.send(work());
    });
    receiver.recv_timeout(limit).ok()
}

/// The pieces of a body, as they come.
pub(crate) struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    limit: Duration,
}

impl Pieces {
    /// Those of `reader`, each within `limit` after the one before.
    pub(crate) fn of(mut reader: impl Read + Send + 'static, limit: Duration) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = match reader.read(&mut piece) {
                    Ok(0) => return,
                    Ok(read) => Ok(read),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ends = read.is_err();
                let piece = read.map(|read| {
                    piece.truncate(read);
                    piece
                });
                if sender.send(piece).is_err() || ends {
                    return;
                }
            }
        });
        Self { receiver, limit }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the connection breaks, or nothing comes in time.
    pub(crate) fn next(&self) -> io::Result<Option<Vec<u8>>> {
        match self.receiver.recv_timeout(self.limit) {
            Ok(piece) => piece.map(Some),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(io::Error::new(ErrorKind::TimedOut, "nothing came in time"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes one at a time, then never anything.
    struct Stalls(Vec<u8>);

    impl Read for Stalls {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(byte) = self.0.pop() else {
                std::thread::sleep(Duration::from_secs(3600));
                return Ok(0);
            };
            buffer[0] = byte;
            Ok(1)
        }
    }

    #[test]
    fn what_takes_longer_is_left_alone() {
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
        let short = Duration::from_millis(20);
        assert_eq!(within(short, || std::thread::sleep(Duration::from_secs(3600))), None);
        let pieces = Pieces::of(Stalls(vec![2, 1]), short);
        assert_eq!(pieces.next().unwrap().unwrap(), [1]);
        assert_eq!(pieces.next().unwrap().unwrap(), [2]);
        assert_eq!(pieces.next().unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_body_ends_where_its_reader_does() {
        let pieces = Pieces::of(io::Cursor::new(vec![5; PIECE + 1]), Duration::from_secs(60));
        let sizes = std::iter::from_fn(|| pieces.next().unwrap().map(|piece| piece.len()));
        assert_eq!(sizes.sum::<usize>(), PIECE + 1);
    }
}
