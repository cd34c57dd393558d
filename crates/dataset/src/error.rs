use std::path::PathBuf;

/// What can go wrong while a picture set is read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file could not be read.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A file is broken.
    #[error("`{path}`: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
}
