//! What weights and thresholds do to the attention blocks in one forward pass.

use unet_core::{BlockAction, BlockSite, Intervention};

/// A block runs where its weight plus this much reaches its threshold (the authors' code).
pub const SKIP_TOLERANCE: f64 = 1e-6;

/// Weights and skip thresholds of one forward pass, one row per sample.
///
/// A batch larger than the number of rows repeats them, as guidance does with its negative and
/// positive samples: sample `s` has row `s mod rows`.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWeights {
    weights: Vec<Vec<f64>>,
    thresholds: Vec<Vec<f64>>,
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
        assert!(!weights.is_empty(), "expected at least one row of weights");
        assert_eq!(weights.len(), thresholds.len(), "expected as many thresholds as weights");
        Self { weights, thresholds }
    }

    /// Which blocks sample `sample` skips.
    pub fn skipped(&self, sample: usize) -> Vec<bool> {
        let row = sample % self.weights.len();
        let pairs = self.weights[row].iter().zip(&self.thresholds[row]);
        pairs.map(|(weight, threshold)| !runs(*weight, *threshold)).collect()
    }

    /// Whether it leaves the U-Net as it is: all weights 1, nothing skipped.
    pub fn is_vanilla(&self) -> bool {
        let one = |weight: &f64| *weight == 1.0;
        self.weights.iter().flatten().all(one)
            && (0..self.weights.len()).all(|row| !self.skipped(row).contains(&true))
    }
}

impl Intervention for StepWeights {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let rows = self.weights.len();
        let at = |sample: usize| {
            let row = sample % rows;
            (self.weights[row][site.index], self.thresholds[row][site.index])
        };
        BlockAction {
            scale: Some((0..batch).map(|sample| at(sample).0 as f32).collect()),
            run: Some(
                (0..batch).map(at).map(|(weight, threshold)| runs(weight, threshold)).collect(),
            ),
        }
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
        assert_eq!(action.run, Some(vec![true, false, true, false]));
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
