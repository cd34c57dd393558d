//! What can go wrong while a model is trained.

use std::path::PathBuf;

use autoencoder::AutoencoderError;
use clip::ClipError;
use files::FileError;
use unet_core::UNetError;
use weights::WeightsError;

use crate::recipe::FieldError;

/// What can go wrong while a model is trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of the picture set, a recipe or a summary is broken.
    #[error("`{path}`: {reason}", path = path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// Fields of a recipe have values that cannot be used.
    #[error("`{path}`: {list}", path = path.display(), list = list(fields))]
    Recipe {
        /// The recipe's file.
        path: PathBuf,
        /// The fields.
        fields: Vec<FieldError>,
    },
    /// A checkpoint was written by a run that leads to another result.
    #[error(
        "`{path}` is the checkpoint of {difference}; restore what has changed, or give another \
         work folder",
        path = path.display()
    )]
    OtherOrigin {
        /// The checkpoint.
        path: PathBuf,
        /// What is not the same.
        difference: String,
    },
    /// A file stands where a checkpoint is expected and is none, or is damaged.
    #[error(
        "`{path}` is no checkpoint that can be resumed ({reason}); move it away to train from the \
         start, or give another work folder",
        path = path.display()
    )]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// The loss or its gradient is no longer a number.
    #[error(
        "step {step}: the loss is {loss} and the norm of its gradient {gradient_norm}; lower the \
         learning rate and train with another work folder than that of `{checkpoint}`",
        checkpoint = checkpoint.display()
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The norm of its gradient.
        gradient_norm: f64,
        /// The last good checkpoint.
        checkpoint: PathBuf,
    },
    /// No training picture shows what the model was trained on.
    #[error("none of the {pictures} pictures has one of the model's {concepts} concepts")]
    NoConcept {
        /// Pictures of the set.
        pictures: usize,
        /// Concepts the model was trained on.
        concepts: usize,
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
    /// Pictures could not be measured.
    #[error(transparent)]
    Metrics(#[from] metrics::MetricsError),
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
    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }
}

fn list(fields: &[FieldError]) -> String {
    fields.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; ")
}
