//! Means with bootstrap intervals, of values and of paired differences.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::wilcoxon;
use crate::MetricsError;

/// A mean with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanInterval {
    /// Mean.
    #[serde(with = "crate::number")]
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    #[serde(with = "crate::number")]
    pub low: f64,
    /// 97.5th percentile of the resampled means.
    #[serde(with = "crate::number")]
    pub high: f64,
    /// Number of values.
    pub count: usize,
}

/// A mean of paired differences with its 95 % bootstrap interval, a rank test and an effect size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Mean.
    #[serde(with = "crate::number")]
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    #[serde(with = "crate::number")]
    pub low: f64,
    /// 97.5th percentile of the resampled means.
    #[serde(with = "crate::number")]
    pub high: f64,
    /// Number of pairs.
    pub count: usize,
    /// Two-sided p of Wilcoxon's signed-rank test.
    pub p_value: f64,
    /// Matched-pairs rank-biserial correlation in [-1, 1].
    pub rank_biserial: f64,
}

/// The mean of `a − b` over pairs, its percentile bootstrap interval, and Wilcoxon's test.
///
/// # Errors
/// [`MetricsError`] where the numbers of values differ or there are none.
pub fn paired_difference(
    a: &[f64],
    b: &[f64],
    resamples: usize,
    seed: u64,
) -> Result<PairedDifference, MetricsError> {
    if a.len() != b.len() {
        return Err(MetricsError::Size {
            left: format!("{} values", a.len()),
            right: format!("{} values", b.len()),
        });
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let MeanInterval { mean, low, high, count } = mean_interval(&differences, resamples, seed)?;
    let test = wilcoxon(&differences)?;
    let (p_value, rank_biserial) = (test.p_value, test.rank_biserial);
    Ok(PairedDifference { mean, low, high, count, p_value, rank_biserial })
}

/// The mean of `values` and its percentile bootstrap interval.
///
/// # Errors
/// [`MetricsError::TooSmall`] where there are none.
pub fn mean_interval(
    values: &[f64],
    resamples: usize,
    seed: u64,
) -> Result<MeanInterval, MetricsError> {
    let count = values.len();
    if count == 0 {
        return Err(MetricsError::TooSmall { expected: "at least one pair", found: "none".into() });
    }
    let mean = |sum: f64| sum / count as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples.max(1))
        .map(|_| mean((0..count).map(|_| values[rng.random_range(0..count)]).sum()))
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (means.len() - 1) as f64).round() as usize];
    Ok(MeanInterval { mean: mean(values.iter().sum()), low: at(0.025), high: at(0.975), count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paired_difference_constant_has_no_width() {
        let difference = paired_difference(&[2.0, 3.0, 4.0], &[1.0, 2.0, 3.0], 500, 1).unwrap();
        assert_eq!((difference.mean, difference.low, difference.high), (1.0, 1.0, 1.0));
        assert!(paired_difference(&[], &[], 10, 1).is_err());
        assert!(paired_difference(&[1.0], &[], 10, 1).is_err());
    }

    #[test]
    fn infinite_means_survive_json() {
        let interval = mean_interval(&[f64::INFINITY; 3], 10, 1).unwrap();
        let text = serde_json::to_string(&interval).unwrap();
        assert_eq!(text, r#"{"mean":"inf","low":"inf","high":"inf","count":3}"#);
        assert_eq!(serde_json::from_str::<MeanInterval>(&text).unwrap(), interval);
    }

    proptest! {
        #[test]
        fn interval_is_ordered_and_repeatable(values in proptest::collection::vec(-5.0f64..5.0, 1..40)) {
            let first = mean_interval(&values, 200, 7).unwrap();
            prop_assert!(first.low <= first.high);
            prop_assert_eq!(first, mean_interval(&values, 200, 7).unwrap());
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(first.low >= least - 1e-9 && first.high <= most + 1e-9);
        }
    }
}
