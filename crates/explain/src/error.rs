//! What can go wrong while a page is made.

use files::FileError;
use metrics::MetricsError;
use pictures::{EncodeError, SizeError};
use pipeline::PipelineError;
use probe::ProbeError;
use pruning::PruningError;
use reweight::ReweightError;

/// What can go wrong while a page is made.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Settings that make no page.
    #[error("explain: {0}")]
    Settings(String),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The state of an interrupted run is broken, or of another one.
    #[error("`{path}`: {reason}; remove it to begin anew, or choose another folder")]
    State {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Importance could not be measured.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Runs could not be timed.
    #[error(transparent)]
    Pruning(#[from] PruningError),
    /// A picture could not be measured.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Weights out of range.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
    /// A picture could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A picture could not be resized.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// The page's template cannot be filled in.
    #[error("page.html: {0}")]
    Page(#[from] minijinja::Error),
    /// A result has no JSON form.
    #[error(transparent)]
    Serialise(#[from] serde_json::Error),
}
