//! What can go wrong in this crate.

use std::path::PathBuf;

use files::FileError;

/// What can go wrong with weights, ranges and their files.
#[derive(Debug, thiserror::Error)]
pub enum ReweightError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is no schedule.
    #[error("`{path}`: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A weight or threshold that makes no sense.
    #[error(
        "step {step}, block {block}: expected a finite weight of 0 or more{at_most}, found {found}",
        at_most = at_most(*most)
    )]
    Weight {
        /// Inference step, from 0.
        step: usize,
        /// Block, from 0.
        block: usize,
        /// The largest that is allowed; `f64::MAX` where any is.
        most: f64,
        /// The value.
        found: f64,
    },
    /// A residual is reused that there is not.
    #[error(
        "step {step}, block {block}: expected an earlier step at which the block runs, whose \
         residual can be reused, found none"
    )]
    Reuse {
        /// Inference step, from 0.
        step: usize,
        /// Block, from 0.
        block: usize,
    },
    /// A step that reuses residuals of earlier ones, where it is to be made by itself.
    #[error(
        "step {step}, block {block}: a residual is reused, which takes a run of all steps, one \
         after the other"
    )]
    Alone {
        /// Inference step, from 0.
        step: usize,
        /// Block, from 0.
        block: usize,
    },
    /// A matrix whose rows differ in length, or that has none.
    #[error("expected {expected} blocks in every step, found {found} in step {step}")]
    Ragged {
        /// Blocks of step 0.
        expected: usize,
        /// Blocks of the step.
        found: usize,
        /// The step.
        step: usize,
    },
    /// An impossible weight range.
    #[error("expected a weight range with 0 <= low <= high, found low = {low}, high = {high}")]
    Range {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Any other value out of its range.
    #[error("{0}")]
    Value(String),
    /// The schedule is for another model or another number of steps.
    #[error("the schedule has {found} {what}, expected {expected}")]
    Mismatch {
        /// "steps" or "blocks".
        what: &'static str,
        /// What the run has.
        expected: usize,
        /// What the schedule has.
        found: usize,
    },
}

fn at_most(most: f64) -> String {
    if most < f64::MAX { format!(", at most {most}") } else { String::new() }
}
