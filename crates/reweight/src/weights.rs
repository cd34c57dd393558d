//! The weight and the skip threshold of every block at every step of a run.

use serde::{Deserialize, Serialize};

use crate::{ReweightError, StepMatrix, StepWeights};

/// The weight, and the skip threshold, of every block at every inference step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct BlockWeights {
    weights: StepMatrix,
    thresholds: StepMatrix,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    weights: StepMatrix,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<StepMatrix>,
}

impl TryFrom<Stored> for BlockWeights {
    type Error = ReweightError;

    fn try_from(stored: Stored) -> Result<Self, ReweightError> {
        let weights = Self::new(stored.weights)?;
        match stored.thresholds {
            Some(thresholds) => weights.with_thresholds(thresholds),
            None => Ok(weights),
        }
    }
}

impl From<BlockWeights> for Stored {
    fn from(weights: BlockWeights) -> Self {
        let skips = weights.thresholds.values().iter().any(|threshold| *threshold != 0.0);
        Self { weights: weights.weights, thresholds: skips.then_some(weights.thresholds) }
    }
}

impl BlockWeights {
    /// The given weights, nothing skipped.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] where a weight is negative or not finite.
    pub fn new(weights: StepMatrix) -> Result<Self, ReweightError> {
        weights.check_not_negative()?;
        let thresholds = weights.map(|_| 0.0);
        Ok(Self { weights, thresholds })
    }

    /// All weights 1: the vanilla schedule.
    pub fn vanilla(steps: usize, blocks: usize) -> Self {
        let filled = |value| StepMatrix::filled(steps, blocks, value);
        Self { weights: filled(1.0), thresholds: filled(0.0) }
    }

    /// Block `block` at `weight` in every step, all others at 1 (Table I).
    ///
    /// # Errors
    /// [`ReweightError`] for a block there is not, or a weight out of range.
    pub fn static_block(
        steps: usize,
        blocks: usize,
        block: usize,
        weight: f64,
    ) -> Result<Self, ReweightError> {
        if block >= blocks {
            return Err(ReweightError::Value(format!(
                "expected a block below {blocks}, found {block}"
            )));
        }
        let value = |_, at| if at == block { weight } else { 1.0 };
        Self::new(StepMatrix::from_fn(steps, blocks, value))
    }

    /// The same weights with skip thresholds: a block runs where `weight + 1e-6 >= threshold`.
    ///
    /// # Errors
    /// [`ReweightError`] where the shapes differ or a threshold is negative or not finite.
    pub fn with_thresholds(mut self, thresholds: StepMatrix) -> Result<Self, ReweightError> {
        thresholds.check_not_negative()?;
        thresholds.check_shape(self.steps(), self.blocks())?;
        self.thresholds = thresholds;
        Ok(self)
    }

    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.weights.steps()
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.weights.blocks()
    }

    /// The weights, 0 or more.
    pub fn weights(&self) -> &StepMatrix {
        &self.weights
    }

    /// The thresholds, 0 or more; 0 where nothing is skipped.
    pub fn thresholds(&self) -> &StepMatrix {
        &self.thresholds
    }

    /// What the U-Net is to do at one step, for every sample of a batch alike.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where there is no such step.
    pub fn at_step(&self, step: usize) -> Result<StepWeights, ReweightError> {
        match (self.weights.get(step), self.thresholds.get(step)) {
            (Some(weights), Some(thresholds)) => {
                Ok(StepWeights::new(vec![weights.to_vec()], vec![thresholds.to_vec()]))
            }
            _ => Err(ReweightError::Mismatch {
                what: "steps",
                expected: step + 1,
                found: self.steps(),
            }),
        }
    }

    /// Checks that it fits a run.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] naming what differs.
    pub fn check_fits(&self, steps: usize, blocks: usize) -> Result<(), ReweightError> {
        self.weights.check_shape(steps, blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_bad_weights_are_refused() {
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            let matrix = StepMatrix::from_rows(vec![vec![1.0, 1.0], vec![1.0, bad]]).unwrap();
            assert!(matches!(
                BlockWeights::new(matrix),
                Err(ReweightError::Weight { step: 1, block: 1, .. })
            ));
        }
    }

    #[test]
    fn with_thresholds_another_shape_is_refused() {
        for (steps, blocks) in [(1, 3), (2, 2)] {
            let thresholds = StepMatrix::filled(steps, blocks, 0.5);
            let refused = BlockWeights::vanilla(2, 3).with_thresholds(thresholds);
            assert!(matches!(refused, Err(ReweightError::Mismatch { .. })));
        }
    }

    #[test]
    fn static_block_weights_only_that_block() {
        let weights = BlockWeights::static_block(2, 3, 1, 1.1).unwrap();
        assert_eq!(weights.weights()[1], [1.0, 1.1, 1.0]);
        assert!(BlockWeights::static_block(2, 3, 3, 1.1).is_err());
    }

    #[test]
    fn at_step_beyond_the_last_is_an_error() {
        let error = BlockWeights::vanilla(2, 3).at_step(2).unwrap_err();
        assert_eq!(error.to_string(), "the schedule has 2 steps, expected 3");
    }
}
