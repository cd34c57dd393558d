use serde::{Deserialize, Serialize};

use crate::{ReweightError, StepWeights};

/// The weight, and the skip threshold, of every block at every inference step.
///
/// Row `t` is inference step `t` (0 the noisiest), column `i` is block `i` in execution order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct BlockWeights {
    weights: Vec<Vec<f64>>,
    thresholds: Vec<Vec<f64>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    weights: Vec<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<Vec<Vec<f64>>>,
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
        let skips = weights.thresholds.iter().flatten().any(|threshold| *threshold != 0.0);
        Self { weights: weights.weights, thresholds: skips.then_some(weights.thresholds) }
    }
}

impl BlockWeights {
    /// The given weights, nothing skipped.
    ///
    /// # Errors
    /// [`ReweightError::Ragged`] and [`ReweightError::Weight`].
    pub fn new(weights: Vec<Vec<f64>>) -> Result<Self, ReweightError> {
        check(&weights)?;
        let thresholds = weights.iter().map(|row| vec![0.0; row.len()]).collect();
        Ok(Self { weights, thresholds })
    }

    /// All weights 1: the vanilla schedule.
    pub fn vanilla(steps: usize, blocks: usize) -> Self {
        let rows = |value| vec![vec![value; blocks]; steps];
        Self { weights: rows(1.0), thresholds: rows(0.0) }
    }

    /// Block `block` at `weight` in every step, all others at 1 (Table I).
    ///
    /// # Errors
    /// [`ReweightError::Weight`] for a weight below 0, [`ReweightError::Value`] for a block that
    /// is not there.
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
        let mut row = vec![1.0; blocks];
        row[block] = weight;
        Self::new(vec![row; steps])
    }

    /// The same weights with skip thresholds: a block runs where `weight + 1e-6 >= threshold`.
    ///
    /// # Errors
    /// [`ReweightError`] where the shapes differ or a threshold is negative or not finite.
    pub fn with_thresholds(mut self, thresholds: Vec<Vec<f64>>) -> Result<Self, ReweightError> {
        check(&thresholds)?;
        mismatch("steps", self.steps(), thresholds.len())?;
        mismatch("blocks", self.blocks(), thresholds.first().map_or(0, Vec::len))?;
        self.thresholds = thresholds;
        Ok(self)
    }

    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.weights.len()
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.weights.first().map_or(0, Vec::len)
    }

    /// The weights of one step.
    ///
    /// # Panics
    /// Where there is no such step.
    pub fn step(&self, step: usize) -> &[f64] {
        &self.weights[step]
    }

    /// The thresholds of one step.
    ///
    /// # Panics
    /// Where there is no such step.
    pub fn thresholds(&self, step: usize) -> &[f64] {
        &self.thresholds[step]
    }

    /// What the U-Net is to do at one step, for every sample of a batch alike.
    ///
    /// # Panics
    /// Where there is no such step.
    pub fn at_step(&self, step: usize) -> StepWeights {
        StepWeights::new(vec![self.weights[step].clone()], vec![self.thresholds[step].clone()])
    }

    /// All steps at once: sample `s` of a batch has the weights of step `s`.
    pub fn all_steps(&self) -> StepWeights {
        StepWeights::new(self.weights.clone(), self.thresholds.clone())
    }

    /// Whether it leaves the U-Net as it is.
    pub fn is_vanilla(&self) -> bool {
        let skips = |step| self.at_step(step).skipped(0).contains(&true);
        self.weights.iter().flatten().all(|weight| *weight == 1.0) && !(0..self.steps()).any(skips)
    }

    /// Checks that it fits a run.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] naming what differs.
    pub fn check_fits(&self, steps: usize, blocks: usize) -> Result<(), ReweightError> {
        mismatch("steps", steps, self.steps())?;
        mismatch("blocks", blocks, self.blocks())
    }
}

fn mismatch(what: &'static str, expected: usize, found: usize) -> Result<(), ReweightError> {
    if expected == found { Ok(()) } else { Err(ReweightError::Mismatch { what, expected, found }) }
}

/// Rows of one length, values finite and not negative.
fn check(rows: &[Vec<f64>]) -> Result<(), ReweightError> {
    let expected = rows.first().map_or(0, Vec::len);
    if expected == 0 {
        return Err(ReweightError::Ragged { expected: 1, found: 0, step: 0 });
    }
    for (step, row) in rows.iter().enumerate() {
        if row.len() != expected {
            return Err(ReweightError::Ragged { expected, found: row.len(), step });
        }
        let bad = row.iter().position(|value| !value.is_finite() || *value < 0.0);
        if let Some(block) = bad {
            return Err(ReweightError::Weight { step, block, found: row[block] });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_bad_matrices_are_refused() {
        assert!(matches!(BlockWeights::new(vec![]), Err(ReweightError::Ragged { .. })));
        assert!(matches!(
            BlockWeights::new(vec![vec![1.0, 1.0], vec![1.0]]),
            Err(ReweightError::Ragged { step: 1, .. })
        ));
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                BlockWeights::new(vec![vec![1.0, bad]]),
                Err(ReweightError::Weight { step: 0, block: 1, .. })
            ));
        }
    }

    #[test]
    fn static_block_weights_only_that_block() {
        let weights = BlockWeights::static_block(2, 3, 1, 1.1).unwrap();
        assert_eq!(weights.step(1), [1.0, 1.1, 1.0]);
        assert!(BlockWeights::static_block(2, 3, 3, 1.1).is_err());
        assert!(BlockWeights::vanilla(2, 3).is_vanilla() && !weights.is_vanilla());
    }

    #[test]
    fn is_vanilla_skipping_is_not() {
        let skipping = BlockWeights::vanilla(1, 2).with_thresholds(vec![vec![0.0, 1.5]]).unwrap();
        assert!(!skipping.is_vanilla());
    }
}
