use pipeline::PipelineError;
use reweight::ReweightError;
use scheduler::SchedulerError;

/// What can go wrong while importance is probed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A setting out of its range.
    #[error("probe configuration: {0}")]
    Config(String),
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
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The scheduler could not be set up.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// Weights out of range.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
}
