//! What weights and thresholds do to the attention blocks in one forward pass.

use unet_core::{BlockAction, BlockMode, BlockSite, Intervention};

use crate::ReweightError;

/// A block runs where its weight plus this much reaches its threshold (the authors' code).
pub const SKIP_TOLERANCE: f64 = 1e-6;

/// Weights of one forward pass, and what is skipped in it, one row per sample.
///
/// A batch larger than the number of rows repeats them, as guidance does with its negative and
/// positive samples: sample `s` has row `s mod rows`.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWeights {
    weights: Vec<Vec<f64>>,
    modes: Vec<Vec<BlockMode>>,
}

/// Whether a block of that weight runs, and is not skipped by its threshold.
pub fn runs(weight: f64, threshold: f64) -> bool {
    weight + SKIP_TOLERANCE >= threshold
}

impl StepWeights {
    /// Rows `[blocks]` of weights and thresholds, one per sample.
    ///
    /// # Panics
    /// Where there are no rows, or unequally many.
    pub fn new(weights: Vec<Vec<f64>>, thresholds: Vec<Vec<f64>>) -> Self {
        assert_eq!(weights.len(), thresholds.len(), "expected as many thresholds as weights");
        let mode = |(weight, threshold): (&f64, &f64)| match runs(*weight, *threshold) {
            true => BlockMode::Run,
            false => BlockMode::Skip,
        };
        let row = |(weights, thresholds): (&Vec<f64>, &Vec<f64>)| {
            weights.iter().zip(thresholds).map(mode).collect()
        };
        let modes = weights.iter().zip(&thresholds).map(row).collect();
        Self::with_modes(weights, modes)
    }

    /// Rows `[blocks]` of weights and modes, one per sample.
    pub(crate) fn with_modes(weights: Vec<Vec<f64>>, modes: Vec<Vec<BlockMode>>) -> Self {
        assert!(!weights.is_empty(), "expected at least one row of weights");
        Self { weights, modes }
    }

    /// Which blocks sample `sample` skips.
    pub fn skipped(&self, sample: usize) -> Vec<bool> {
        let row = &self.modes[sample % self.modes.len()];
        row.iter().map(|mode| *mode == BlockMode::Skip).collect()
    }

    /// Whether it leaves the U-Net as it is: all weights 1, every block runs.
    pub fn is_vanilla(&self) -> bool {
        self.weights.iter().flatten().all(|weight| *weight == 1.0)
            && self.modes.iter().flatten().all(|mode| *mode == BlockMode::Run)
    }

    /// The same, where it takes nothing of other steps; otherwise an error that names `step`.
    pub(crate) fn alone(self, step: usize) -> Result<Self, ReweightError> {
        let reuse = |mode: &BlockMode| *mode == BlockMode::Reuse;
        match self.modes.iter().find_map(|row| row.iter().position(reuse)) {
            Some(block) => Err(ReweightError::Alone { step, block }),
            None => Ok(self),
        }
    }
}

impl Intervention for StepWeights {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let row = |sample: usize| sample % self.weights.len();
        let weight = |sample| self.weights[row(sample)][site.index] as f32;
        let mode = |sample| self.modes[row(sample)][site.index];
        BlockAction {
            scale: Some((0..batch).map(weight).collect()),
            mode: Some((0..batch).map(mode).collect()),
            keep: false,
        }
    }

    fn only_scales_and_skips(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unet_core::BlockKind;

    #[test]
    fn attention_block_samples_repeat_the_rows() {
        let step = StepWeights::new(
            vec![vec![1.0, 1.1], vec![0.5, 1.0]],
            vec![vec![0.0, 0.0], vec![0.5, 1.5]],
        );
        let action = step.attention_block(BlockSite { index: 1, kind: BlockKind::Mid }, 4);
        assert_eq!(action.scale, Some(vec![1.1, 1.0, 1.1, 1.0]));
        let [run, skip] = [BlockMode::Run, BlockMode::Skip];
        assert_eq!(action.mode, Some(vec![run, skip, run, skip]));
        // A weight equal to its threshold runs.
        assert_eq!(step.skipped(1), [false, true]);
    }

    #[test]
    fn is_vanilla_neither_weights_nor_skips() {
        let step = |weight, threshold| StepWeights::new(vec![vec![weight]], vec![vec![threshold]]);
        assert!(step(1.0, 1.0).is_vanilla());
        assert!(!step(1.0, 1.5).is_vanilla() && !step(1.1, 0.0).is_vanilla());
    }
}
