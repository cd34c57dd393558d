//! The error of everything that touches a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
///
/// The operating system's word is part of the message, and is therefore not told again as the
/// error's source.
#[derive(Debug)]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// The operating system's word.
    pub reason: io::Error,
}

impl FileError {
    /// Gives an operating system's error the name of the file it speaks of, for `map_err`.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |reason| Self { path, reason }
    }

    /// Whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason.kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for FileError {}
