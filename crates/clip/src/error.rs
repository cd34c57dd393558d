//! What can go wrong while a tokenizer or an encoder is loaded.

use std::path::PathBuf;

use config::ConfigError;
use files::FileError;
use weights::WeightsError;

/// What can go wrong while a tokenizer or an encoder is loaded.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration is broken, or asks for what is not implemented.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tokenizer file is broken.
    #[error("`{path}`: {reason}")]
    Tokenizer {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tokenizer makes what its text encoder cannot read.
    #[error(
        "the tokenizer makes {tokenizer} {what}, its text encoder's `{key}` is {encoder}: they are \
         of different models"
    )]
    Misfit {
        /// What is compared.
        what: &'static str,
        /// The encoder's configuration key.
        key: &'static str,
        /// The tokenizer's number.
        tokenizer: usize,
        /// The encoder's number.
        encoder: usize,
    },
    /// The weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
