//! Schedules of weights: by importance, by its inverse, by rule.

use unet_core::{BlockInfo, BlockKind};

use crate::{BlockWeights, ImportanceScores, StepMatrix, WeightRange};

impl BlockWeights {
    /// Weights that grow with importance (Eq. 7).
    pub fn importance(scores: &ImportanceScores, range: WeightRange) -> Self {
        Self::new(scores.matrix().map(|score| range.weight(*score)))
            .unwrap_or_else(|_| unreachable!("scores and range are checked"))
    }

    /// The ablation: weights that fall with importance (Eq. 8, then Eq. 7).
    pub fn inverted(scores: &ImportanceScores, range: WeightRange) -> Self {
        Self::importance(&scores.inverted(), range)
    }

    /// Weights by rule, without a probe (Sec. III-F): the bottleneck is always at `high`; blocks of
    /// low resolution begin at `high` and end at `low`, those of high resolution the other way.
    pub fn empirical(blocks: &[BlockInfo], steps: usize, range: WeightRange) -> Self {
        let sizes = blocks.iter().map(|block| block.downscale as f64);
        let largest = sizes.clone().fold(1.0, f64::max).log2().max(1.0);
        let weight = |step: usize, block: usize| {
            let progress = if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.0 };
            let block = &blocks[block];
            match block.site.kind {
                BlockKind::Mid => range.high(),
                _ => {
                    let fineness = 1.0 - (block.downscale as f64).log2() / largest;
                    let wanted = (1.0 - progress) * (1.0 - fineness) + progress * fineness;
                    range.weight(wanted)
                }
            }
        };
        Self::new(StepMatrix::from_fn(steps.max(1), blocks.len(), weight))
            .unwrap_or_else(|_| unreachable!("the range is checked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn importance_stays_in_range_and_keeps_order(
            scores in proptest::collection::vec(0.0f64..=1.0, 7),
            low in 0.5f64..1.0,
            width in 0.0f64..0.5,
        ) {
            let range = WeightRange::new(low, low + width).unwrap();
            let scores = StepMatrix::from_rows(vec![scores]).unwrap();
            let scores = ImportanceScores::new(scores).unwrap();
            let weights = BlockWeights::importance(&scores, range);
            let inverted = BlockWeights::inverted(&scores, range);
            for i in 0..7 {
                let weight = weights.weights()[0][i];
                prop_assert!(weight >= low - 1e-12 && weight <= low + width + 1e-12);
                // Plain and inverted weights lie symmetrically about the range's middle.
                let middle = weight + inverted.weights()[0][i];
                prop_assert!((middle - (2.0 * low + width)).abs() < 1e-9);
                for j in 0..7 {
                    if scores.matrix()[0][i] < scores.matrix()[0][j] {
                        prop_assert!(weight <= weights.weights()[0][j]);
                    }
                }
            }
        }
    }
}
