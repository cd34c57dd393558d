//! What can go wrong while a scheduler is set up.

use config::ConfigError;

/// What can go wrong while a scheduler is set up.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The configuration is broken, or asks for what no class here does.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration asks for what this class does not do.
    #[error("{class}: `{key}` = {found} is not implemented")]
    Unimplemented {
        /// diffusers' name of the class.
        class: &'static str,
        /// The configuration's key.
        key: &'static str,
        /// Its value as JSON.
        found: String,
    },
    /// A number of steps that cannot be scheduled.
    #[error("{class}: expected {min} to {max} inference steps, found {found}")]
    Steps {
        /// diffusers' name of the class.
        class: &'static str,
        /// The fewest: 1, or 4 where PNDM begins with Runge-Kutta steps.
        min: usize,
        /// As many as there are training timesteps.
        max: usize,
        /// What was asked for.
        found: usize,
    },
    /// `steps_offset` moves the first step beyond the training timesteps.
    #[error(
        "{class}: `steps_offset` = {offset} puts the first of {steps} inference steps at timestep \
         {first}: expected at most {last}, the last training timestep"
    )]
    Offset {
        /// diffusers' name of the class.
        class: &'static str,
        /// `steps_offset`.
        offset: usize,
        /// Number of inference steps.
        steps: usize,
        /// Where the first one is.
        first: usize,
        /// The last training timestep.
        last: usize,
    },
    /// No scheduler class of that name is implemented.
    #[error("expected a scheduler `{known}` (or diffusers' class name), found `{found}`")]
    Kind {
        /// What was asked for.
        found: String,
        /// The known names.
        known: String,
    },
    /// No spacing of σ of that name is implemented.
    #[error("expected a spacing of σ `timesteps`, `karras` or `exponential`, found `{found}`")]
    Sigmas {
        /// What was asked for.
        found: String,
    },
    /// The configuration does not say which class it is for.
    #[error(
        "the model's scheduler configuration has no `_class_name`: name a scheduler, `{known}`"
    )]
    NoClass {
        /// The known names.
        known: String,
    },
}
