//! What can go wrong with strategies, students and distances.

use std::path::PathBuf;

use files::FileError;
use metrics::MetricsError;
use pipeline::PipelineError;
use reweight::ReweightError;
use scheduler::SchedulerError;

/// What can go wrong with strategies, students and distances.
#[derive(Debug, thiserror::Error)]
pub enum PruningError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint is broken, or of another student.
    #[error("`{path}`: {reason}; remove the folder to begin again")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Settings that cannot be run.
    #[error("{0}")]
    Settings(String),
    /// The loss is not finite.
    #[error("the loss is {loss} in epoch {epoch}: expected a smaller learning rate")]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Its loss.
        loss: f64,
    },
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The scheduler cannot be built.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// What is skipped does not fit the model.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
    /// The pictures could not be compared.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}
