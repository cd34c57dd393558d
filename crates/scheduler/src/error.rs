use std::path::PathBuf;

/// What can go wrong while a scheduler is set up.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The configuration file could not be read.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The configuration is broken.
    #[error("scheduler configuration: {0}")]
    Config(String),
    /// The class, or a key's value, is not implemented.
    #[error("scheduler configuration: `{key}` = {found} is not implemented")]
    Unimplemented {
        /// The key.
        key: String,
        /// Its value.
        found: String,
    },
    /// A number of steps that cannot be scheduled.
    #[error("expected 1 to {max} inference steps, found {found}")]
    Steps {
        /// As many as there are training timesteps.
        max: usize,
        /// What was asked for.
        found: usize,
    },
    /// No scheduler class of that name is implemented.
    #[error("expected a scheduler `{known}` (or diffusers' class name), found `{found}`")]
    Kind {
        /// What was asked for.
        found: String,
        /// The known names.
        known: String,
    },
    /// PNDM repeats its second step, so it cannot make exactly two.
    #[error("PNDM cannot run the U-Net exactly twice: expected 1, or 3 and more steps")]
    PndmCalls,
}
