//! Holm's correction for several comparisons.

/// The p values of a family of tests, each as large as it must be for "p ≤ α" to be wrong about
/// any true hypothesis of the family with probability α at most, however the tests depend on each
/// other (Holm 1979): in ascending order the k-th of n, from 0, is multiplied by n − k, raised to
/// its predecessor and cut at 1. As long as `p_values`, and in their order; NaN stays NaN and does
/// not count.
///
/// Source: S. Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal
/// of Statistics 6 (1979), 65–70.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|i| !p_values[*i].is_nan()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![f64::NAN; p_values.len()];
    let mut least = 0.0f64;
    for (place, at) in order.iter().copied().enumerate() {
        let others = (order.len() - place) as f64;
        least = least.max((p_values[at] * others).min(1.0));
        corrected[at] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holm_gives_what_r_prints() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.04), method = "holm")
        let found = holm(&[0.01, 0.04, 0.03, 0.005, 0.04]);
        for (found, expected) in found.iter().zip([0.04, 0.09, 0.09, 0.025, 0.09]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.3]), [0.3]);
        let found = holm(&[0.02, f64::NAN, 0.01]);
        assert!(found[1].is_nan());
        assert_eq!([found[0], found[2]], [0.02, 0.02]);
    }

    /// Holm's procedure as he words it: reject in ascending order while p ≤ α / (n − k).
    fn rejected(p_values: &[f64], alpha: f64) -> Vec<bool> {
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
        let mut rejected = vec![false; p_values.len()];
        for (place, at) in order.into_iter().enumerate() {
            if p_values[at] * (p_values.len() - place) as f64 > alpha {
                break;
            }
            rejected[at] = true;
        }
        rejected
    }

    proptest! {
        #[test]
        fn holm_rejects_as_the_stepwise_procedure(
            p_values in proptest::collection::vec(0.0f64..=1.0, 1..30),
            alpha in 0.0f64..0.999,
        ) {
            let corrected = holm(&p_values);
            let below: Vec<bool> = corrected.iter().map(|p| *p <= alpha).collect();
            prop_assert_eq!(below, rejected(&p_values, alpha));
            let n = p_values.len() as f64;
            for (p, corrected) in p_values.iter().zip(&corrected) {
                // Between no correction and Bonferroni's.
                prop_assert!(corrected >= p && *corrected <= (n * p).min(1.0));
            }
        }

        #[test]
        fn holm_keeps_the_order_and_does_not_depend_on_it(
            p_values in proptest::collection::vec(0.0f64..=1.0, 2..30),
        ) {
            let corrected = holm(&p_values);
            for i in 0..p_values.len() {
                for j in 0..p_values.len() {
                    prop_assert!(p_values[i] > p_values[j] || corrected[i] <= corrected[j]);
                }
            }
            let reversed: Vec<f64> = p_values.iter().rev().copied().collect();
            let back: Vec<f64> = holm(&reversed).into_iter().rev().collect();
            prop_assert_eq!(corrected, back);
        }
    }
}
