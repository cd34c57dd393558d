use std::path::PathBuf;

use weights::WeightsError;

/// What can go wrong while an autoencoder is configured or loaded.
#[derive(Debug, thiserror::Error)]
pub enum AutoencoderError {
    /// The configuration file could not be read.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The configuration is broken, or asks for what is not implemented.
    #[error("autoencoder configuration: {0}")]
    Config(String),
    /// The weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
