//! Means with Student's intervals.

use serde::{Deserialize, Serialize};

use crate::Interval;

/// A mean, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Student's 95 % interval; none of a single value.
    pub interval: Option<Interval>,
    /// Number of values.
    pub count: usize,
}

impl Mean {
    /// The mean of values, of which there is at least one.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let interval = (count > 1).then(|| {
            let half = student_t(count - 1) * standard_error(values);
            Interval { low: mean - half, high: mean + half }
        });
        Self { mean, interval, count }
    }

    /// Whether the interval leaves out 0: the sign of the mean is known.
    pub fn is_signed(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0)
    }
}

/// The standard error of the mean of values; 0 of a single one.
pub(crate) fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0).max(1.0) / count).sqrt()
}

/// The 97.5th percentile of Student's t with `freedom` (1 or more) degrees of freedom; above 10 by
/// the expansion of Abramowitz and Stegun, 26.7.5, within 0.0002.
///
/// Source: the usual tables of Student's t and of the normal distribution.
pub(crate) fn student_t(freedom: usize) -> f64 {
    const EXACT: [f64; 10] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
        2.262_157, 2.228_139,
    ];
    if let Some(exact) = EXACT.get(freedom - 1) {
        return *exact;
    }
    const Z: f64 = 1.959_963_985;
    let n = freedom as f64;
    let terms = [
        (Z.powi(3) + Z) / 4.0,
        (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0,
        (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0,
    ];
    Z + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_has_the_textbook_interval() {
        // Mean 0.5, deviation √0.025, five values: ± 2.776445 · √0.025 / √5.
        let mean = Mean::of(&[0.3, 0.4, 0.5, 0.6, 0.7]);
        let Interval { low, high } = mean.interval.unwrap();
        let half = 2.776_445 * (0.025f64 / 5.0).sqrt();
        assert!((low - 0.5 + half).abs() < 1e-9 && (high - 0.5 - half).abs() < 1e-9);
        assert!(mean.is_signed() && !Mean::of(&[-1.0, 1.0, 0.1]).is_signed());
        let single = Mean::of(&[3.0]);
        assert_eq!((single.mean, single.interval, single.count), (3.0, None, 1));
        assert!(!single.is_signed() && standard_error(&[3.0]) == 0.0);
    }

    #[test]
    fn student_t_is_that_of_published_tables() {
        // Published tables: 2.2010 (11), 2.0423 (30), 1.9840 (100).
        for (freedom, expected) in [(11, 2.200_985), (30, 2.042_272), (100, 1.983_972)] {
            assert!((student_t(freedom) - expected).abs() < 2e-4, "{freedom}");
        }
    }
}
