//! The kernel inception distance of two sets of vectors.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::MetricsError;
use crate::networks::Features;

/// The kernel inception distance (Bińkowski et al. 2018).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kid {
    /// Mean over subsets of the unbiased squared maximum mean discrepancy; may be below 0.
    pub mean: f64,
    /// Its standard deviation over subsets.
    pub deviation: f64,
    /// Subsets drawn.
    pub subsets: usize,
    /// Vectors of each set in a subset.
    pub subset_size: usize,
}

/// Most subsets that are drawn: the mean of as many is known to a thousandth of its deviation.
const MOST_SUBSETS: usize = 1_000_000;

/// Compares two sets with the kernel `(x·y / d + 1)³` on `subsets` random subsets.
///
/// A subset has `subset_size` vectors of each set, or half of the smaller set where that is fewer:
/// of whole sets there is only one choice and no deviation. The same `seed` draws the same subsets.
///
/// # Errors
/// [`MetricsError::TooSmall`] for sets of fewer than four vectors,
/// [`MetricsError::Subsets`] for no subsets or more than a million,
/// [`MetricsError::Size`] for vectors of different lengths,
/// [`MetricsError::NotFinite`] for vectors with NaN or infinity.
pub fn kernel_distance(
    a: &Features,
    b: &Features,
    subsets: usize,
    subset_size: usize,
    seed: u64,
) -> Result<Kid, MetricsError> {
    if a.dims != b.dims {
        return Err(MetricsError::Size {
            left: format!("{} dimensions", a.dims),
            right: format!("{} dimensions", b.dims),
        });
    }
    for features in [a, b] {
        features.check()?;
    }
    if !(1..=MOST_SUBSETS).contains(&subsets) {
        return Err(MetricsError::Subsets { found: subsets, most: MOST_SUBSETS });
    }
    let least = a.count().min(b.count());
    if least < 4 || subset_size < 2 {
        return Err(MetricsError::TooSmall {
            expected: "two sets of at least 4 pictures, and subsets of at least 2",
            found: format!("{} and {}, subsets of {subset_size}", a.count(), b.count()),
        });
    }
    let size = if subset_size <= least { subset_size } else { least / 2 };
    let (within_a, within_b, between) = (kernel(a, a), kernel(b, b), kernel(a, b));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..subsets)
        .map(|_| {
            let chosen_a = sample(&mut rng, a.count(), size).into_vec();
            let chosen_b = sample(&mut rng, b.count(), size).into_vec();
            let mut sums = [0.0; 3];
            for i in 0..size {
                for j in 0..size {
                    if i != j {
                        sums[0] += within_a[chosen_a[i] * a.count() + chosen_a[j]];
                        sums[1] += within_b[chosen_b[i] * b.count() + chosen_b[j]];
                    }
                    sums[2] += between[chosen_a[i] * b.count() + chosen_b[j]];
                }
            }
            let n = size as f64;
            (sums[0] + sums[1]) / (n * (n - 1.0)) - 2.0 * sums[2] / (n * n)
        })
        .collect();
    let count = subsets as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    if let Some(found) = [mean, deviation].into_iter().find(|value| !value.is_finite()) {
        return Err(MetricsError::NotFinite { what: "kernel distance", found });
    }
    Ok(Kid { mean, deviation, subsets, subset_size: size })
}

/// The kernel of every pair, row by row.
fn kernel(a: &Features, b: &Features) -> Vec<f64> {
    let dims = a.dims as f64;
    let value = |x: &[f64], y: &[f64]| {
        (x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / dims + 1.0).powi(3)
    };
    a.rows().flat_map(|x| b.rows().map(move |y| value(x, y)).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features(values: Vec<f64>) -> Features {
        Features { network: "test".into(), dims: 3, values }
    }

    #[test]
    fn sets_of_one_place_have_the_known_distance() {
        // Kernels 8 within (1·3/3 + 1)³, 1 between and 1 within the origin.
        let (ones, zeros) = (features(vec![1.0; 15]), features(vec![0.0; 12]));
        let kid = kernel_distance(&ones, &zeros, 5, 1000, 1).unwrap();
        assert!((kid.mean - 7.0).abs() < 1e-12 && kid.deviation < 1e-12 && kid.subset_size == 2);
        assert!(kernel_distance(&features(vec![1.0; 9]), &zeros, 5, 2, 1).is_err());
    }

    /// Of a whole set with itself the unbiased estimate is not 0 but 2/n of what the kernel's mean
    /// over pairs of different vectors lies above that over vectors with themselves.
    #[test]
    fn a_set_has_the_known_distance_from_itself() {
        let set = features((0..15).map(|i| f64::from(i * i % 7) / 3.0).collect());
        let cube = |x: &[f64], y: &[f64]| {
            (x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / 3.0 + 1.0).powi(3)
        };
        let (mut same, mut different) = (0.0, 0.0);
        for (i, x) in set.rows().enumerate() {
            for (j, y) in set.rows().enumerate() {
                *(if i == j { &mut same } else { &mut different }) += cube(x, y);
            }
        }
        let expected = 2.0 / 5.0 * (different / 20.0 - same / 5.0);
        let kid = kernel_distance(&set, &set, 3, 5, 1).unwrap();
        assert!((kid.mean - expected).abs() < 1e-12 * expected.abs(), "{} {expected}", kid.mean);
        assert!(expected < 0.0 && kid.deviation < 1e-12);
    }

    #[test]
    fn counts_and_values_out_of_range_are_refused() {
        let set = features((0..15).map(f64::from).collect());
        for subsets in [0, MOST_SUBSETS + 1, usize::MAX] {
            let error = kernel_distance(&set, &set, subsets, 2, 1).unwrap_err();
            assert!(error.to_string().contains(&subsets.to_string()), "{error}");
        }
        for value in [f64::NAN, f64::INFINITY, 1e200] {
            let broken = features([vec![value], vec![0.0; 14]].concat());
            assert!(kernel_distance(&broken, &set, 5, 5, 1).is_err());
        }
    }

    proptest! {
        #[test]
        fn symmetric_for_whole_sets(a in proptest::collection::vec(-2.0f64..2.0, 15),
                                    b in proptest::collection::vec(-2.0f64..2.0, 15)) {
            let (a, b) = (features(a), features(b));
            let there = kernel_distance(&a, &b, 1, 5, 1).unwrap();
            let back = kernel_distance(&b, &a, 1, 5, 1).unwrap();
            prop_assert!((there.mean - back.mean).abs() < 1e-9);
        }
    }
}
