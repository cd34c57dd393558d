//! The weight of every block at every step of a run, and whether it runs.

use serde::{Deserialize, Serialize};
use unet_core::BlockMode;

use crate::intervention::runs;
use crate::{ReweightError, StepMatrix, StepWeights};

/// The weight of every block at every inference step, its skip threshold, and whether it is
/// skipped, or adds again what it added before, whatever its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct BlockWeights {
    weights: StepMatrix,
    thresholds: StepMatrix,
    modes: StepMatrix<BlockMode>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    weights: StepMatrix,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<StepMatrix>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modes: Option<StepMatrix<BlockMode>>,
}

impl TryFrom<Stored> for BlockWeights {
    type Error = ReweightError;

    fn try_from(stored: Stored) -> Result<Self, ReweightError> {
        let mut weights = Self::new(stored.weights)?;
        if let Some(thresholds) = stored.thresholds {
            weights = weights.with_thresholds(thresholds)?;
        }
        match stored.modes {
            Some(modes) => weights.with_modes(modes),
            None => Ok(weights),
        }
    }
}

impl From<BlockWeights> for Stored {
    fn from(weights: BlockWeights) -> Self {
        let BlockWeights { weights, thresholds, modes } = weights;
        let skips = thresholds.values().iter().any(|threshold| *threshold != 0.0);
        let special = modes.values().iter().any(|mode| *mode != BlockMode::Run);
        Self { weights, thresholds: skips.then_some(thresholds), modes: special.then_some(modes) }
    }
}

/// Largest weight of a block; the paper's are around 1.
pub const MAX_WEIGHT: f64 = 1e6;

impl BlockWeights {
    /// The given weights, nothing skipped.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] where a weight is negative, not finite or beyond [`MAX_WEIGHT`].
    pub fn new(weights: StepMatrix) -> Result<Self, ReweightError> {
        weights.check_at_most(MAX_WEIGHT)?;
        let (thresholds, modes) = (weights.map(|_| 0.0), weights.map(|_| BlockMode::Run));
        Ok(Self { weights, thresholds, modes })
    }

    /// All weights 1: the vanilla schedule.
    pub fn vanilla(steps: usize, blocks: usize) -> Self {
        let filled = |value| StepMatrix::filled(steps, blocks, value);
        let modes = StepMatrix::filled(steps, blocks, BlockMode::Run);
        Self { weights: filled(1.0), thresholds: filled(0.0), modes }
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
    /// [`ReweightError`] where the shapes differ, a threshold is negative or not finite, or a
    /// residual would be reused that there is not.
    pub fn with_thresholds(mut self, thresholds: StepMatrix) -> Result<Self, ReweightError> {
        thresholds.check_not_negative()?;
        thresholds.check_shape(self.steps(), self.blocks())?;
        self.thresholds = thresholds;
        self.check_reuse(0)?;
        Ok(self)
    }

    /// The same weights and thresholds with what is done whatever they are: where a mode is
    /// [`BlockMode::Run`], weight and threshold decide.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where the shapes differ; [`ReweightError::Reuse`] where a block
    /// would reuse the residual of a step at which it did not run; [`ReweightError::Value`] where
    /// one that is to be reused is skipped by its threshold.
    pub fn with_modes(mut self, modes: StepMatrix<BlockMode>) -> Result<Self, ReweightError> {
        modes.check_shape(self.steps(), self.blocks())?;
        self.modes = modes;
        self.check_reuse(0)?;
        Ok(self)
    }

    /// Whether what is reused from step `first` on was added from there on.
    pub(crate) fn check_reuse(&self, first: usize) -> Result<(), ReweightError> {
        let mut ran = vec![false; self.blocks()];
        for step in first..self.steps() {
            for (block, ran) in ran.iter_mut().enumerate() {
                match (self.mode(step, block), self.modes[step][block]) {
                    (BlockMode::Skip, BlockMode::Reuse) => {
                        return Err(ReweightError::Value(format!(
                            "step {step}, block {block}: expected either a threshold above its \
                             weight, which skips it, or `reuse`, found both"
                        )));
                    }
                    (BlockMode::Reuse, _) if !*ran => {
                        return Err(ReweightError::Reuse { step, block });
                    }
                    (mode, _) => *ran |= mode == BlockMode::Run,
                }
            }
        }
        Ok(())
    }

    /// What a block does at a step.
    ///
    /// # Panics
    /// Where there is no such step or block.
    pub fn mode(&self, step: usize, block: usize) -> BlockMode {
        match runs(self.weights[step][block], self.thresholds[step][block]) {
            true => self.modes[step][block],
            false => BlockMode::Skip,
        }
    }

    /// Whether what a block adds at a step is added again at a later one.
    pub(crate) fn is_reused(&self, step: usize, block: usize) -> bool {
        let mut later = (step + 1..self.steps()).map(|step| self.mode(step, block));
        self.mode(step, block) == BlockMode::Run
            && later.find(|mode| *mode != BlockMode::Skip) == Some(BlockMode::Reuse)
    }

    /// The modes of a step's blocks.
    pub(crate) fn step_modes(&self, step: usize) -> Vec<BlockMode> {
        (0..self.blocks()).map(|block| self.mode(step, block)).collect()
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
    /// [`ReweightError::Mismatch`] where there is no such step; [`ReweightError::Alone`] where it
    /// reuses residuals of earlier ones.
    pub fn at_step(&self, step: usize) -> Result<StepWeights, ReweightError> {
        let Some(weights) = self.weights.get(step) else {
            let (expected, found) = (step + 1, self.steps());
            return Err(ReweightError::Mismatch { what: "steps", expected, found });
        };
        let step_weights =
            StepWeights::with_modes(vec![weights.to_vec()], vec![self.step_modes(step)]);
        step_weights.alone(step)
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

    #[test]
    fn with_modes_a_reuse_of_nothing_is_refused() {
        use BlockMode::{Reuse, Run, Skip};
        let weights = |modes: [[BlockMode; 2]; 3]| {
            let modes = StepMatrix::from_rows(modes.map(Vec::from).to_vec()).unwrap();
            BlockWeights::vanilla(3, 2).with_modes(modes)
        };
        assert!(weights([[Run, Run], [Reuse, Run], [Reuse, Reuse]]).is_ok());
        assert!(weights([[Run, Skip], [Skip, Run], [Reuse, Reuse]]).is_ok());
        for (modes, place) in [
            ([[Run, Reuse], [Run, Run], [Run, Run]], (0, 1)),
            ([[Skip, Run], [Skip, Run], [Reuse, Run]], (2, 0)),
        ] {
            let error = weights(modes).unwrap_err();
            assert!(
                matches!(error, ReweightError::Reuse { step, block } if (step, block) == place),
                "{error}"
            );
        }
    }

    #[test]
    fn thresholds_and_reuse_of_the_same_block_are_refused() {
        let modes = vec![vec![BlockMode::Run], vec![BlockMode::Reuse]];
        let weights = BlockWeights::vanilla(2, 1);
        let weights = weights.with_modes(StepMatrix::from_rows(modes).unwrap()).unwrap();
        let skipped = |step: usize| StepMatrix::from_fn(2, 1, |at, _| f64::from(at == step) * 1.5);
        let error = |step| weights.clone().with_thresholds(skipped(step)).unwrap_err();
        assert!(matches!(error(0), ReweightError::Reuse { step: 1, block: 0 }));
        assert!(error(1).to_string().contains("step 1, block 0: expected either"));
    }

    #[test]
    fn is_reused_looks_beyond_skips_to_the_next_step_that_adds_something() {
        use BlockMode::{Reuse, Run, Skip};
        let modes = [Run, Run, Skip, Reuse, Reuse, Run, Skip].map(|mode| vec![mode]);
        let weights = BlockWeights::vanilla(7, 1);
        let weights = weights.with_modes(StepMatrix::from_rows(modes.to_vec()).unwrap()).unwrap();
        let reused: Vec<usize> = (0..7).filter(|step| weights.is_reused(*step, 0)).collect();
        assert_eq!(reused, [1]);
    }
}
