use std::path::PathBuf;

use pipeline::PipelineError;
use scheduler::SchedulerError;

/// What can go wrong while a student is fine-tuned.
#[derive(Debug, thiserror::Error)]
pub enum PruningError {
    /// A file could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
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
}
