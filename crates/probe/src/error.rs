//! What can go wrong while importance is probed.

use std::path::PathBuf;

use files::FileError;
#[cfg(feature = "pipeline")]
use pipeline::PipelineError;
use reweight::ReweightError;
#[cfg(feature = "pipeline")]
use scheduler::SchedulerError;

/// What can go wrong while importance is probed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A setting out of its range.
    #[error("probe configuration: {0}")]
    Config(String),
    /// Results of runs that cannot vote, or a stored vote that contradicts itself.
    #[error("vote: {0}")]
    Vote(String),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is no report on a probe.
    #[error("`{path}`: {reason}; expected the importance report that `probe` wrote")]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is no importance map.
    #[error("`{path}`: {reason}; expected the importance map that `importance` wrote")]
    Map {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A report has no JSON form.
    #[error(transparent)]
    Serialise(#[from] serde_json::Error),
    /// A prediction or a loss is not finite.
    #[error("step {step}: {what} is not finite{place}; try f32")]
    NotFinite {
        /// Inference step, from 0.
        step: usize,
        /// What is not.
        what: String,
        /// The attention block after which this is first seen, where it is known.
        place: String,
    },
    /// An evaluator that answers something else than it was asked.
    #[error("evaluator: {0}")]
    Evaluator(String),
    /// A saved state belongs to another probe.
    #[error("the saved state is of another probe: {0}")]
    State(String),
    /// The state could not be saved, or the run was told to stop.
    #[error("the probe was interrupted after epoch {epoch}: {reason}")]
    Interrupted {
        /// Epochs done.
        epoch: usize,
        /// Why.
        reason: String,
    },
    /// The pipeline failed.
    #[cfg(feature = "pipeline")]
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The scheduler could not be set up.
    #[cfg(feature = "pipeline")]
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// Weights out of range.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
}
