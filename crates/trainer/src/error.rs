use std::path::PathBuf;

use autoencoder::AutoencoderError;
use clip::ClipError;
use weights::WeightsError;
use unet_core::UNetError;

/// What can go wrong while a model is trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A file of the picture set, the recipe or a checkpoint is broken.
    #[error("`{path}`: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// The loss is no longer a number.
    #[error(
        "step {step}: the loss is {loss}; lower the learning rate and resume from `{checkpoint}`"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The last good checkpoint.
        checkpoint: PathBuf,
    },
    /// The picture set could not be read.
    #[error(transparent)]
    Pictures(#[from] pictures::PictureError),
    /// The autoencoder could not be set up.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// The trained pipeline could not be run.
    #[error(transparent)]
    Pipeline(#[from] pipeline::PipelineError),
    /// The text encoder or the tokenizer could not be set up.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The U-Net could not be set up.
    #[error(transparent)]
    UNet(#[from] UNetError),
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl TrainError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }
}
