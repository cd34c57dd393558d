use std::path::PathBuf;

use weights::WeightsError;

/// What can go wrong while a tokenizer or a text encoder is loaded.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// A file could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The text encoder's configuration is broken, or asks for what is not implemented.
    #[error("text encoder configuration: {0}")]
    Config(String),
    /// A tokenizer file is broken.
    #[error("`{path}`: {reason}")]
    Tokenizer {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
