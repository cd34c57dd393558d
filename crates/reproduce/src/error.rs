//! What can go wrong while experiments run.

use std::path::PathBuf;

use files::FileError;
use hub::HubError;
use metrics::MetricsError;
use pictures::PictureError;
use pipeline::PipelineError;
use probe::ProbeError;
use pruning::PruningError;
use reweight::ReweightError;

/// What can go wrong while experiments run.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// A result is no number, or none that can be; it is not stored.
    #[error("{0}; nothing was stored")]
    Impossible(String),
    /// A unit of work failed.
    #[error("{unit}: {error}")]
    Unit {
        /// What was to be computed.
        unit: String,
        /// Why it was not.
        error: Box<ReproduceError>,
    },
    /// A result that another depends on is not stored.
    #[error("the {0} is not stored")]
    Missing(String),
    /// The report's template cannot be filled in.
    #[error("report.html: {0}")]
    Report(#[from] minijinja::Error),
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
