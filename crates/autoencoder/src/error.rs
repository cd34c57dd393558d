//! What can go wrong while an autoencoder is configured or loaded.

use config::ConfigError;
use weights::WeightsError;

/// What can go wrong while an autoencoder is configured or loaded.
#[derive(Debug, thiserror::Error)]
pub enum AutoencoderError {
    /// The configuration is broken, or asks for what is not implemented.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
