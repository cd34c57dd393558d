//! When, during a run, an intervention is active.

use serde::{Deserialize, Serialize};

use crate::ReweightError;

/// The part of the sampling in which an intervention is active: fractions of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepWindow {
    /// First active fraction, from 0.
    pub start: f64,
    /// Fraction at which it ends, to 1.
    pub end: f64,
}

impl StepWindow {
    /// All steps.
    pub const ALL: Self = Self { start: 0.0, end: 1.0 };

    /// The part that both have in common; none of it where they do not meet.
    pub fn and(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }

    /// Checks that it lies within the run.
    ///
    /// # Errors
    /// [`ReweightError::Value`] naming its ends.
    pub fn check(&self) -> Result<(), ReweightError> {
        match 0.0 <= self.start && self.start < self.end && self.end <= 1.0 {
            true => Ok(()),
            false => Err(ReweightError::Value(format!(
                "expected a window `start,end` with 0 <= start < end <= 1, found {},{}",
                self.start, self.end
            ))),
        }
    }

    /// Whether step `step` of `steps` lies in it.
    pub fn contains(&self, step: usize, steps: usize) -> bool {
        let at = step as f64 / steps.max(1) as f64;
        at >= self.start && at < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_begins_at_the_start_and_ends_before_the_end() {
        let late = StepWindow { start: 0.5, end: 1.0 };
        assert_eq!([0, 1].map(|step| late.contains(step, 2)), [false, true]);
        let early = StepWindow { start: 0.0, end: 0.5 };
        assert_eq!([0, 1].map(|step| early.contains(step, 2)), [true, false]);
    }
}
