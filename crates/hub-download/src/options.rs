//! How files are fetched, and what is told of it meanwhile.

use std::time::Duration;

use hub::Variant;

/// How files are fetched.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Which weights; the manifest's own where absent.
    pub variant: Option<Variant>,
    /// Files fetched at a time.
    pub workers: usize,
    /// Attempts in a row without a single new byte before a file is given up.
    pub attempts: usize,
    /// How long a connection may be silent.
    pub silence: Duration,
    /// Pause after the first failed attempt; doubled after each further one.
    pub pause: Duration,
    /// How long nothing may happen to a file before the listener is told so.
    pub notice: Duration,
    /// Whether files that are here already are hashed again; their sizes are always compared.
    pub verify: bool,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            variant: None,
            workers: 4,
            attempts: 5,
            silence: Duration::from_secs(30),
            pause: Duration::from_secs(1),
            notice: Duration::from_secs(4),
            verify: false,
        }
    }
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq)]
pub enum DownloadEvent<'a> {
    /// It is here already.
    Present {
        /// The file.
        file: &'a str,
    },
    /// It is here, but not what it should be; it is fetched again.
    Damaged {
        /// The file.
        file: &'a str,
        /// Where it is, what was expected and what was found.
        reason: &'a str,
    },
    /// It is being fetched.
    Started {
        /// The file.
        file: &'a str,
        /// Its bytes.
        size: u64,
        /// Bytes an earlier attempt left.
        resumed: u64,
    },
    /// So many bytes of it are here.
    Advanced {
        /// The file.
        file: &'a str,
        /// Bytes.
        bytes: u64,
    },
    /// Nothing has happened to it for a while: a server is silent, or another process fetches it.
    Waiting {
        /// The file.
        file: &'a str,
        /// For how long.
        time: Duration,
    },
    /// An attempt failed; another follows.
    Retrying {
        /// The file.
        file: &'a str,
        /// What went wrong.
        reason: &'a str,
        /// When the next attempt begins.
        pause: Duration,
    },
    /// A source does not have the files; the next is asked.
    OtherSource {
        /// The package.
        package: &'a str,
        /// What is wrong with the source.
        reason: &'a str,
        /// Repository and revision that is asked next.
        next: &'a str,
    },
    /// It is complete, and its hash is right.
    Finished {
        /// The file.
        file: &'a str,
        /// Whether a hash was known to compare with.
        verified: bool,
    },
}

/// Who is told of the progress.
pub(crate) type Listener<'a> = &'a (dyn Fn(DownloadEvent<'_>) + Sync);
