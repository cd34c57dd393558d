//! How important every block is at every step.

use serde::{Deserialize, Serialize};

use crate::{ReweightError, StepMatrix};

/// Importance `is` of every block at every step, in [0, 1] (Eq. 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StepMatrix", into = "StepMatrix")]
pub struct ImportanceScores(StepMatrix);

impl TryFrom<StepMatrix> for ImportanceScores {
    type Error = ReweightError;

    fn try_from(scores: StepMatrix) -> Result<Self, ReweightError> {
        Self::new(scores)
    }
}

impl From<ImportanceScores> for StepMatrix {
    fn from(scores: ImportanceScores) -> Self {
        scores.0
    }
}

impl ImportanceScores {
    /// The given scores.
    ///
    /// # Errors
    /// [`ReweightError`] for scores outside [0, 1].
    pub fn new(scores: StepMatrix) -> Result<Self, ReweightError> {
        scores.check_not_negative()?;
        match scores.values().iter().find(|score| **score > 1.0) {
            Some(score) => Err(ReweightError::Value(format!(
                "expected importance scores from 0 to 1, found {score}"
            ))),
            None => Ok(Self(scores)),
        }
    }

    /// The scores.
    pub fn matrix(&self) -> &StepMatrix {
        &self.0
    }

    /// `1 − is` for every score: Eq. 8.
    pub fn inverted(&self) -> Self {
        Self(self.0.map(|score| 1.0 - score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_scores_out_of_range_are_refused() {
        for bad in [-0.1, 1.1, f64::NAN] {
            assert!(ImportanceScores::new(StepMatrix::filled(1, 2, bad)).is_err(), "{bad}");
        }
        let text = "[[0.25,1.0]]";
        let scores: ImportanceScores = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&scores).unwrap(), text);
        assert_eq!(scores.inverted().matrix()[0], [0.75, 0.0]);
    }
}
