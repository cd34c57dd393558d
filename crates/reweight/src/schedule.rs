use serde::{Deserialize, Serialize};
use unet_core::{BlockInfo, BlockKind};

use crate::{BlockWeights, ReweightError};

/// The interval `[low, high]` weights are chosen from (Eq. 7).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 2]", into = "[f64; 2]")]
pub struct WeightRange {
    low: f64,
    high: f64,
}

impl TryFrom<[f64; 2]> for WeightRange {
    type Error = ReweightError;

    fn try_from([low, high]: [f64; 2]) -> Result<Self, ReweightError> {
        Self::new(low, high)
    }
}

impl From<WeightRange> for [f64; 2] {
    fn from(range: WeightRange) -> Self {
        [range.low, range.high]
    }
}

impl WeightRange {
    /// `[low, high]`.
    ///
    /// # Errors
    /// [`ReweightError::Range`] unless `0 <= low <= high`, both finite.
    pub fn new(low: f64, high: f64) -> Result<Self, ReweightError> {
        if low >= 0.0 && low <= high && high.is_finite() {
            Ok(Self { low, high })
        } else {
            Err(ReweightError::Range { low, high })
        }
    }

    /// Lower end.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Upper end.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// `score · (high − low) + low`; `high` where both ends agree (Eq. 7).
    pub fn weight(&self, score: f64) -> f64 {
        if self.low == self.high { self.high } else { score * (self.high - self.low) + self.low }
    }
}

/// Importance `is` of every block at every step, in [0, 1] (Eq. 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<f64>>", into = "Vec<Vec<f64>>")]
pub struct ImportanceScores(Vec<Vec<f64>>);

impl TryFrom<Vec<Vec<f64>>> for ImportanceScores {
    type Error = ReweightError;

    fn try_from(rows: Vec<Vec<f64>>) -> Result<Self, ReweightError> {
        Self::new(rows)
    }
}

impl From<ImportanceScores> for Vec<Vec<f64>> {
    fn from(scores: ImportanceScores) -> Self {
        scores.0
    }
}

impl ImportanceScores {
    /// Rows of scores, one per step.
    ///
    /// # Errors
    /// [`ReweightError`] for a ragged or empty matrix, or scores outside [0, 1].
    pub fn new(rows: Vec<Vec<f64>>) -> Result<Self, ReweightError> {
        BlockWeights::new(rows.clone())?;
        if let Some(score) = rows.iter().flatten().find(|score| **score > 1.0) {
            return Err(ReweightError::Value(format!(
                "expected importance scores from 0 to 1, found {score}"
            )));
        }
        Ok(Self(rows))
    }

    /// The scores, one row per step.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.0
    }

    /// `1 − is` for every score: Eq. 8.
    pub fn inverted(&self) -> Self {
        Self(self.0.iter().map(|row| row.iter().map(|score| 1.0 - score).collect()).collect())
    }
}

impl BlockWeights {
    /// Weights that grow with importance (Eq. 7).
    pub fn importance(scores: &ImportanceScores, range: WeightRange) -> Self {
        let row = |row: &Vec<f64>| row.iter().map(|score| range.weight(*score)).collect();
        Self::new(scores.rows().iter().map(row).collect())
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
        let row = |step: usize| {
            let progress = if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.0 };
            let weight = |block: &BlockInfo| match block.site.kind {
                BlockKind::Mid => range.high(),
                _ => {
                    let fineness = 1.0 - (block.downscale as f64).log2() / largest;
                    let wanted = (1.0 - progress) * (1.0 - fineness) + progress * fineness;
                    range.weight(wanted)
                }
            };
            blocks.iter().map(weight).collect()
        };
        Self::new((0..steps.max(1)).map(row).collect())
            .unwrap_or_else(|_| unreachable!("the range is checked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn range_low_above_high_or_negative_is_refused() {
        for (low, high) in [(1.1, 1.0), (-0.1, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(WeightRange::new(low, high).is_err(), "[{low}, {high}]");
        }
        assert_eq!(WeightRange::new(1.05, 1.05).unwrap().weight(0.3), 1.05);
    }

    proptest! {
        #[test]
        fn importance_stays_in_range_and_keeps_order(
            scores in proptest::collection::vec(0.0f64..=1.0, 7),
            low in 0.5f64..1.0,
            width in 0.0f64..0.5,
        ) {
            let range = WeightRange::new(low, low + width).unwrap();
            let scores = ImportanceScores::new(vec![scores]).unwrap();
            let weights = BlockWeights::importance(&scores, range);
            let inverted = BlockWeights::inverted(&scores, range);
            for i in 0..7 {
                let weight = weights.step(0)[i];
                prop_assert!(weight >= low - 1e-12 && weight <= low + width + 1e-12);
                // Plain and inverted weights lie symmetrically about the range's middle.
                let middle = weight + inverted.step(0)[i];
                prop_assert!((middle - (2.0 * low + width)).abs() < 1e-9);
                for j in 0..7 {
                    if scores.rows()[0][i] < scores.rows()[0][j] {
                        prop_assert!(weight <= weights.step(0)[j]);
                    }
                }
            }
        }
    }
}
