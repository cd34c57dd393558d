//! Schedules that share something with another and lack the rest: its mean weight without its
//! distribution, its weights on other blocks.

use crate::{BlockWeights, ReweightError, StepMatrix};

impl BlockWeights {
    /// The mean weight over all steps and blocks.
    pub fn mean(&self) -> f64 {
        let values = self.weights().values();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }

    /// The same weight for every block at every step.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] where it is negative or not finite.
    pub fn constant(steps: usize, blocks: usize, weight: f64) -> Result<Self, ReweightError> {
        Self::new(StepMatrix::filled(steps, blocks, weight))
    }

    /// The same schedule with a number added to every weight, so that their mean is `mean`; what is
    /// skipped stays skipped.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] where a weight becomes negative or not finite.
    pub fn shifted_to_mean(&self, mean: f64) -> Result<Self, ReweightError> {
        let shift = mean - self.mean();
        let modes = StepMatrix::from_fn(self.steps(), self.blocks(), |step, i| self.mode(step, i));
        Self::new(self.weights().map(|weight| weight + shift))?.with_modes(modes)
    }

    /// The same schedule on other blocks: block `i` gets at every step what block `order[i]` had.
    ///
    /// # Errors
    /// [`ReweightError::Value`] unless `order` holds every block once.
    pub fn reordered(&self, order: &[usize]) -> Result<Self, ReweightError> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.blocks()) {
            let blocks = self.blocks();
            return Err(ReweightError::Value(format!(
                "expected an order of {blocks} blocks, found {order:?}"
            )));
        }
        let (steps, blocks) = (self.steps(), self.blocks());
        let weights = StepMatrix::from_fn(steps, blocks, |step, i| self.weights()[step][order[i]]);
        let modes = StepMatrix::from_fn(steps, blocks, |step, i| self.mode(step, order[i]));
        Self::new(weights)?.with_modes(modes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImportanceScores, WeightRange};
    use proptest::prelude::*;
    use unet_core::BlockMode;

    fn scores(rows: Vec<Vec<f64>>) -> ImportanceScores {
        ImportanceScores::new(StepMatrix::from_rows(rows).unwrap()).unwrap()
    }

    #[test]
    fn reordered_moves_weights_and_skips_together() {
        let row = |values: [f64; 3]| StepMatrix::from_rows(vec![values.to_vec()]).unwrap();
        let weights = BlockWeights::new(row([1.0, 1.1, 1.2])).unwrap();
        let weights = weights.with_thresholds(row([0.0, 2.0, 0.5])).unwrap();
        let reordered = weights.reordered(&[2, 0, 1]).unwrap();
        assert_eq!(reordered.weights()[0], [1.2, 1.0, 1.1]);
        let modes = [0, 1, 2].map(|block| reordered.mode(0, block));
        assert_eq!(modes, [BlockMode::Run, BlockMode::Run, BlockMode::Skip]);
        for bad in [vec![0, 1], vec![0, 1, 1], vec![0, 1, 3]] {
            assert!(weights.reordered(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shifted_to_a_mean_that_makes_a_weight_negative_is_refused() {
        let weights = BlockWeights::static_block(1, 2, 0, 3.0).unwrap();
        assert!(weights.shifted_to_mean(0.5).is_err());
        assert!(BlockWeights::constant(2, 3, -0.1).is_err());
    }

    proptest! {
        #[test]
        fn mean_matched_inverse_reverses_the_order_at_the_same_mean(
            values in proptest::collection::vec(0.0f64..=1.0, 12),
            low in 0.5f64..1.0,
            width in 0.01f64..0.5,
        ) {
            let range = WeightRange::new(low, low + width).unwrap();
            let scores = scores(values.chunks(4).map(<[f64]>::to_vec).collect());
            let weights = BlockWeights::importance(&scores, range);
            let inverse = BlockWeights::inverted(&scores, range);
            let matched = inverse.shifted_to_mean(weights.mean()).unwrap();
            let constant = BlockWeights::constant(3, 4, weights.mean()).unwrap();
            prop_assert!((matched.mean() - weights.mean()).abs() < 1e-12);
            prop_assert!((constant.mean() - weights.mean()).abs() < 1e-12);
            // Deviations from the mean are the same with the other sign.
            let deviations = weights.weights().values().iter().map(|w| w - weights.mean());
            for (weight, deviation) in matched.weights().values().iter().zip(deviations) {
                prop_assert!((weight - weights.mean() + deviation).abs() < 1e-9);
            }
        }
    }
}
