//! The interval that weights are chosen from.

use serde::{Deserialize, Serialize};

use crate::ReweightError;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_low_above_high_or_negative_is_refused() {
        for (low, high) in [(1.1, 1.0), (-0.1, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(WeightRange::new(low, high).is_err(), "[{low}, {high}]");
        }
        assert_eq!(WeightRange::new(1.05, 1.05).unwrap().weight(0.3), 1.05);
    }
}
