use unet_core::{BlockAction, BlockSite, Intervention};

/// A block runs where its weight plus this much reaches its threshold.
pub const SKIP_TOLERANCE: f64 = 1e-6;

/// Weights and skip thresholds of one step, one row per sample.
///
/// A batch larger than the number of rows repeats them, as guidance does with its negative and
/// positive samples: sample `s` has row `s mod rows`.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWeights {
    weights: Vec<Vec<f64>>,
    thresholds: Vec<Vec<f64>>,
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
        self.weights[row]
            .iter()
            .zip(&self.thresholds[row])
            .map(|(weight, threshold)| weight + SKIP_TOLERANCE < *threshold)
            .collect()
    }
}

impl Intervention for StepWeights {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let rows = self.weights.len();
        let per_sample = (0..batch).map(|sample| sample % rows);
        let scale = per_sample.clone().map(|row| self.weights[row][site.index] as f32).collect();
        let run = per_sample
            .map(|row| {
                self.weights[row][site.index] + SKIP_TOLERANCE >= self.thresholds[row][site.index]
            })
            .collect();
        BlockAction { scale: Some(scale), run: Some(run) }
    }
}
