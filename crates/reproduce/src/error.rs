use std::path::PathBuf;

use ::pruning::PruningError;
use hub::HubError;
use metrics::MetricsError;
use pictures::PictureError;
use pipeline::PipelineError;
use probe::ProbeError;
use reweight::ReweightError;

/// What can go wrong while experiments run.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// A file could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// An experiment file, or a stored result, is broken.
    #[error("`{path}`: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A setting that cannot be run.
    #[error("experiment: {0}")]
    Experiment(String),
    /// A picture or a picture set could not be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// Something could not be measured.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The probe failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Something that must be fetched first, or is not what it should be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A student could not be fine-tuned.
    #[error(transparent)]
    Pruning(#[from] PruningError),
    /// Weights out of range.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
}

impl ReproduceError {
    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }
}
