//! Schedules that share something with another and lack the rest: its mean weight without its
//! distribution, its weights on other blocks.

use crate::{BlockWeights, ImportanceScores, ReweightError, StepMatrix};

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

    /// The same schedule with a number added to every weight, so that their mean is `mean`.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] where a weight becomes negative or not finite.
    pub fn shifted_to_mean(&self, mean: f64) -> Result<Self, ReweightError> {
        let shift = mean - self.mean();
        let shifted = Self::new(self.weights().map(|weight| weight + shift))?;
        shifted.with_thresholds(self.thresholds().clone())
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
        let reordered = |matrix: &StepMatrix| {
            StepMatrix::from_fn(self.steps(), self.blocks(), |step, i| matrix[step][order[i]])
        };
        Self::new(reordered(self.weights()))?.with_thresholds(reordered(self.thresholds()))
    }
}

impl ImportanceScores {
    /// The scores of a run with other steps: between the timesteps `from` of these scores
    /// interpolated linearly, beyond them as at the nearest. `to` are its timesteps; both descend.
    ///
    /// # Errors
    /// [`ReweightError`] where `from` are not as many as the scores' steps, or timesteps do not
    /// descend.
    pub fn resampled(&self, from: &[f64], to: &[f64]) -> Result<Self, ReweightError> {
        self.matrix().check_shape(from.len(), self.matrix().blocks())?;
        for timesteps in [from, to] {
            let descends = |pair: &[f64]| pair[0] > pair[1];
            if !timesteps.windows(2).all(descends) || timesteps.iter().any(|t| !t.is_finite()) {
                return Err(ReweightError::Value(format!(
                    "expected timesteps that descend, found {timesteps:?}"
                )));
            }
        }
        let scores = StepMatrix::from_fn(to.len(), self.matrix().blocks(), |step, block| {
            let timestep = to[step];
            let later = from.partition_point(|known| *known > timestep).min(from.len() - 1);
            let earlier = later.saturating_sub(1);
            let (a, b) = (self.matrix()[earlier][block], self.matrix()[later][block]);
            if earlier == later || timestep <= from[later] {
                return b;
            }
            let share = (from[earlier] - timestep) / (from[earlier] - from[later]);
            a + share * (b - a)
        });
        Self::new(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightRange;
    use proptest::prelude::*;

    fn scores(rows: Vec<Vec<f64>>) -> ImportanceScores {
        ImportanceScores::new(StepMatrix::from_rows(rows).unwrap()).unwrap()
    }

    #[test]
    fn resampled_scores_are_interpolated_between_timesteps_and_kept_beyond() {
        let known = scores(vec![vec![0.2, 1.0], vec![0.6, 0.0]]);
        let found = known.resampled(&[900.0, 500.0], &[950.0, 900.0, 800.0, 500.0, 1.0]).unwrap();
        let expected = [[0.2, 1.0], [0.2, 1.0], [0.3, 0.75], [0.6, 0.0], [0.6, 0.0]];
        for (row, expected) in found.matrix().rows().zip(expected) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?}");
        }
        let single = scores(vec![vec![0.2, 1.0]]).resampled(&[999.0], &[999.0, 499.0]).unwrap();
        assert!(single.matrix().rows().all(|row| row == [0.2, 1.0]));
        for (from, to) in [(vec![900.0], vec![1.0]), (vec![1.0, 9.0], vec![1.0])] {
            assert!(known.resampled(&from, &to).is_err(), "{from:?}");
        }
        assert!(known.resampled(&[9.0, 1.0], &[1.0, 9.0]).is_err());
    }

    #[test]
    fn reordered_moves_weights_and_thresholds_together() {
        let row = |values: [f64; 3]| StepMatrix::from_rows(vec![values.to_vec()]).unwrap();
        let weights = BlockWeights::new(row([1.0, 1.1, 1.2])).unwrap();
        let weights = weights.with_thresholds(row([0.0, 2.0, 0.5])).unwrap();
        let reordered = weights.reordered(&[2, 0, 1]).unwrap();
        assert_eq!(reordered.weights()[0], [1.2, 1.0, 1.1]);
        assert_eq!(reordered.thresholds()[0], [0.5, 0.0, 2.0]);
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

        #[test]
        fn resampled_keeps_the_mean_of_rankings(
            count in 1usize..12,
            order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            // Every row of a vote is a ranking: its mean is (m + 1) / 2m.
            let rows: Vec<Vec<f64>> = (0..10)
                .map(|step| order.iter().map(|i| ((i + step) % 7 + 1) as f64 / 7.0).collect())
                .collect();
            let spaced = |n: usize| (0..n).map(|i| 1000.0 - i as f64 * 1000.0 / n as f64).collect();
            let (from, to): (Vec<f64>, Vec<f64>) = (spaced(10), spaced(count));
            let found = scores(rows).resampled(&from, &to).unwrap();
            prop_assert_eq!(found.matrix().steps(), count);
            for row in found.matrix().rows() {
                prop_assert!((row.iter().sum::<f64>() / 7.0 - 4.0 / 7.0).abs() < 1e-12);
            }
        }
    }
}
