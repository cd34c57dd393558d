//! How a program ends: done, a failure that is told, or a reader that went away.

use std::process::ExitCode;

use crate::output::{Closed, flush, note};

/// Says what went wrong; `code` tells the exit code of an error. That the reader of standard output
/// went away is no error: it has seen enough.
pub fn end(result: anyhow::Result<()>, code: impl FnOnce(&anyhow::Error) -> u8) -> ExitCode {
    match result.and_then(|()| flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::from(code(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let never = |_: &anyhow::Error| unreachable!("no error to tell");
        assert_eq!(end(Err(Closed.into()), never), ExitCode::SUCCESS);
        assert_eq!(end(Err(anyhow::anyhow!("full")), |_| 3), ExitCode::from(3));
    }
}
