//! Wilcoxon's signed-rank test.

use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// Wilcoxon's signed-rank test of paired differences against a symmetric distribution around 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Wilcoxon {
    /// The smaller of the rank sums of positive and negative differences.
    pub statistic: f64,
    /// Two-sided probability of a statistic at most as large if nothing differed.
    pub p_value: f64,
    /// Matched-pairs rank-biserial correlation in [-1, 1]: the share of rank sums that is positive
    /// minus the share that is negative (Kerby 2014).
    pub rank_biserial: f64,
    /// Differences other than 0, the only ones that count.
    pub count: usize,
}

/// Most differences without ties and zeros whose null distribution is computed exactly.
const EXACT: usize = 50;
/// Most differences of any kind whose null distribution is computed exactly.
const EXACT_WITH_TIES: usize = 13;

/// Tests `differences`, as scipy's `wilcoxon` does by default: zeros are dropped; the distribution
/// is exact up to 50 differences without ties or zeros and up to 13 in any case, otherwise it is
/// normal with a correction of the variance for ties. Without any difference p is 1.
///
/// # Errors
/// [`MetricsError::TooSmall`] where there are no differences or one is no number.
pub fn wilcoxon(differences: &[f64]) -> Result<Wilcoxon, MetricsError> {
    let small = |found: &str| MetricsError::TooSmall {
        expected: "at least one pair of numbers",
        found: found.into(),
    };
    if differences.is_empty() {
        return Err(small("none"));
    }
    if differences.iter().any(|value| value.is_nan()) {
        return Err(small("NaN"));
    }
    let mut values: Vec<f64> = differences.iter().copied().filter(|value| *value != 0.0).collect();
    let count = values.len();
    if count == 0 {
        return Ok(Wilcoxon { statistic: 0.0, p_value: 1.0, rank_biserial: 0.0, count });
    }
    values.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (mut positive, mut ties, mut start) = (0.0, 0.0, 0);
    let mut doubled_ranks = Vec::with_capacity(count);
    while start < count {
        let same = |value: &&f64| value.abs() == values[start].abs();
        let length = values[start..].iter().take_while(same).count();
        // The mean of the ranks start + 1 to start + length.
        let rank = start as f64 + (length as f64 + 1.0) / 2.0;
        let above = values[start..start + length].iter().filter(|value| **value > 0.0).count();
        positive += rank * above as f64;
        doubled_ranks.extend(std::iter::repeat_n((2.0 * rank) as usize, length));
        ties += (length as f64).powi(3) - length as f64;
        start += length;
    }
    let n = count as f64;
    let total = n * (n + 1.0) / 2.0;
    let statistic = positive.min(total - positive);
    let plain = ties == 0.0 && count == differences.len();
    let exact = differences.len() <= if plain { EXACT } else { EXACT_WITH_TIES };
    let p_value = if exact {
        exact_p(&doubled_ranks, (2.0 * statistic) as usize)
    } else {
        // The crate's erfc is that of FreeBSD's s_erf.c (Sun Microsystems 1993), below 1 ulp.
        let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
        libm::erfc((statistic - total / 2.0).abs() / variance.sqrt() / std::f64::consts::SQRT_2)
    };
    let rank_biserial = (2.0 * positive - total) / total;
    Ok(Wilcoxon { statistic, p_value: p_value.min(1.0), rank_biserial, count })
}

/// Twice the probability that the ranks that are positive sum to at most `statistic`; ranks and
/// sum are doubled, so that those of ties are whole.
fn exact_p(ranks: &[usize], statistic: usize) -> f64 {
    let most = ranks.iter().sum();
    let mut probability = vec![0.0; most + 1];
    probability[0] = 1.0;
    for rank in ranks.iter().copied() {
        for sum in (0..=most).rev() {
            let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = 0.5 * (probability[sum] + with);
        }
    }
    2.0 * probability[..=statistic].iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn degenerate_inputs() {
        assert!(wilcoxon(&[]).is_err() && wilcoxon(&[f64::NAN]).is_err());
        assert_eq!(wilcoxon(&[0.0, 0.0]).unwrap().p_value, 1.0);
        assert_eq!(wilcoxon(&[2.0, 1.0]).unwrap().rank_biserial, 1.0);
    }

    proptest! {
        #[test]
        fn sign_reverses_the_effect_only(values in proptest::collection::vec(-9.0f64..9.0, 1..80)) {
            let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
            let (a, b) = (wilcoxon(&values).unwrap(), wilcoxon(&mirrored).unwrap());
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
            prop_assert!((a.rank_biserial + b.rank_biserial).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&a.p_value));
        }
    }
}
