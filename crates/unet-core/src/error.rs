use std::path::PathBuf;

use weights::WeightsError;

/// What can go wrong while a U-Net is configured or loaded.
#[derive(Debug, thiserror::Error)]
pub enum UNetError {
    /// The configuration file could not be read.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The configuration is no valid JSON object or lacks something.
    #[error("U-Net configuration: {0}")]
    Config(String),
    /// A key asks for something this implementation does not do.
    #[error(
        "U-Net configuration: `{key}` = {found} is not implemented (implemented: {implemented})"
    )]
    Unimplemented {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would be accepted.
        implemented: String,
    },
    /// A key nobody here knows.
    #[error("U-Net configuration: the key `{key}` (= {value}) is unknown to this implementation")]
    UnknownKey {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// The weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
