//! How the program ends: done, a wrong use, a failure, or a reader that went away.

use std::fmt;
use std::process::ExitCode;

/// The exit code of a wrong use, as that of clap's own refusals.
const USAGE: u8 = 2;
/// The exit code of any other failure.
const FAILURE: u8 = 1;

/// A wrong use: what was asked for cannot be done, whatever the files are.
#[derive(Debug)]
pub struct Usage(anyhow::Error);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Usage {}

/// Marks errors as wrong uses.
pub trait OrUsage<T> {
    /// The value, or its error as a wrong use; a machine with too little memory stays a failure.
    fn or_usage(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrUsage<T> for Result<T, E> {
    fn or_usage(self) -> anyhow::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            match error.downcast_ref() {
                Some(pipeline::PipelineError::Memory { .. }) => error,
                _ => Usage(error).into(),
            }
        })
    }
}

/// A wrong use, in words.
pub fn usage(text: impl fmt::Display) -> anyhow::Error {
    Usage(anyhow::anyhow!("{text}")).into()
}

/// Says what went wrong, and with which code the program ends.
pub fn end(result: anyhow::Result<()>) -> ExitCode {
    terminal::end(
        result,
        |error| {
            if error.is::<Usage>() || is_wrong_use(error) { USAGE } else { FAILURE }
        },
    )
}

/// Whether something was asked for that there is not, or that a model cannot do, wherever that was
/// noticed.
fn is_wrong_use(error: &anyhow::Error) -> bool {
    use hub::HubError::{Unknown, Variant};
    use pipeline::PipelineError::{Hub, Request, Scheduler};
    use scheduler::SchedulerError::Steps;
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(Unknown { .. } | Variant { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(Request(_) | Scheduler(Steps { .. }) | Hub(Unknown { .. } | Variant { .. }))
            )
    })
}
