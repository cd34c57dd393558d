//! The Fréchet distance of two sets of vectors.

use super::FeatureStatistics;
use super::factor::Factor;
use super::nuclear::nuclear_norm;
use super::statistics::centre;
use crate::MetricsError;
use crate::networks::Features;

/// The Fréchet distance of two Gaussians, `|μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr √(Σ₁Σ₂)`.
///
/// With `Σ = FᵀF`, `tr √(Σ₁Σ₂)` is the sum of the singular values of `F₁F₂ᵀ`: no complex roots, and
/// singular covariances need no care.
///
/// # Errors
/// [`MetricsError::Size`] for vectors of different lengths, [`MetricsError::Decomposition`] for
/// matrices that are no covariances (with NaN or infinity, not symmetric, not positive
/// semi-definite) and for a distance that is not finite.
pub fn frechet_distance(a: &FeatureStatistics, b: &FeatureStatistics) -> Result<f64, MetricsError> {
    same_dims(a.dims(), b.dims())?;
    for statistics in [a, b] {
        statistics.check()?;
    }
    let (first, second) = (Factor::of(a)?, Factor::of(b)?);
    distance((&a.mean, first), (&b.mean, second))
}

/// The same distance from the vectors themselves, of which the centred ones are the factor where
/// they are fewer than dimensions, which is when covariances are singular.
///
/// # Errors
/// [`MetricsError::TooSmall`] for fewer than two vectors, otherwise as [`frechet_distance`].
pub fn frechet_from_features(a: &Features, b: &Features) -> Result<f64, MetricsError> {
    same_dims(a.dims, b.dims)?;
    if a.count().min(b.count()) >= a.dims {
        return frechet_distance(&FeatureStatistics::of(a)?, &FeatureStatistics::of(b)?);
    }
    let side = |features: &Features| -> Result<(Vec<f64>, Factor), MetricsError> {
        let (mean, rows) = centre(features)?;
        Ok((mean, Factor { rows, degrees: (features.count() - 1) as f64 }))
    };
    let ((mean_a, first), (mean_b, second)) = (side(a)?, side(b)?);
    distance((&mean_a, first), (&mean_b, second))
}

fn distance(a: (&[f64], Factor), b: (&[f64], Factor)) -> Result<f64, MetricsError> {
    let ((mean_a, first), (mean_b, second)) = (a, b);
    let means: f64 = mean_a.iter().zip(mean_b).map(|(a, b)| (a - b).powi(2)).sum();
    let spread = first.trace() + second.trace();
    let product = first.rows.times_transposed(&second.rows);
    let trace = match product.values.iter().all(|value| value.is_finite()) {
        true => nuclear_norm(product)? / (first.degrees * second.degrees).sqrt(),
        false => f64::NAN,
    };
    let distance = means + spread - 2.0 * trace;
    match distance.is_finite() {
        true => Ok(distance),
        false => Err(MetricsError::Decomposition(format!(
            "expected a finite distance, found {means:e} between the means and {spread:e} of variance"
        ))),
    }
}

fn same_dims(a: usize, b: usize) -> Result<(), MetricsError> {
    if a == b {
        return Ok(());
    }
    Err(MetricsError::Size { left: format!("{a} dimensions"), right: format!("{b} dimensions") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features(dims: usize, values: Vec<f64>) -> Features {
        Features { network: "test".into(), dims, values }
    }

    #[test]
    fn known_distances_in_one_dimension() {
        // Means 1 and 4, variances 2 and 8: 9 + (√8 − √2)².
        let a = features(1, vec![0.0, 2.0]);
        let b = features(1, vec![2.0, 6.0]);
        let expected = 9.0 + (8f64.sqrt() - 2f64.sqrt()).powi(2);
        assert!((frechet_from_features(&a, &b).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn too_few_and_broken_features_are_refused() {
        let (one, two) = (features(2, vec![1.0, 2.0]), features(2, vec![1.0, 2.0, 3.0, 5.0]));
        assert!(frechet_from_features(&one, &two).is_err());
        assert!(frechet_from_features(&two, &features(1, vec![1.0, 2.0])).is_err());
        assert!(frechet_from_features(&two, &features(2, vec![1.0, f64::NAN, 3.0, 4.0])).is_err());
    }

    #[test]
    fn statistics_that_give_no_number_are_refused() {
        let statistics = |mean: Vec<f64>, covariance: Vec<f64>| FeatureStatistics {
            count: None,
            mean,
            covariance,
        };
        let unit = statistics(vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0]);
        for (broken, word) in [
            (statistics(vec![0.0, f64::NAN], vec![1.0, 0.0, 0.0, 1.0]), "NaN"),
            (statistics(vec![0.0; 2], vec![1.0, 0.0, 0.0, f64::NAN]), "NaN"),
            (statistics(vec![0.0; 2], vec![1.0, 0.9, -0.9, 1.0]), "symmetric"),
            (statistics(vec![0.0; 2], vec![1.0, 3.0, 3.0, 1.0]), "semi-definite"),
            (statistics(vec![1e200, 0.0], vec![1.0, 0.0, 0.0, 1.0]), "finite distance"),
            (statistics(vec![0.0; 2], vec![1.0, 0.0]), "4 values"),
        ] {
            for (a, b) in [(&unit, &broken), (&broken, &unit)] {
                let message = frechet_distance(a, b).unwrap_err().to_string();
                assert!(message.contains(word), "{word}: {message}");
            }
        }
    }

    /// In 60 digits (`tests/data/make_frechet.py`).
    #[test]
    fn distances_are_exact() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/data/frechet.json")).unwrap();
        for case in cases {
            let values =
                |key: &str| -> Vec<f64> { serde_json::from_value(case[key].clone()).unwrap() };
            let dims = case["dims"].as_u64().unwrap() as usize;
            let (a, b) = (features(dims, values("a")), features(dims, values("b")));
            let expected = case["distance"].as_f64().unwrap();
            let distance = frechet_from_features(&a, &b).unwrap();
            assert!((distance - expected).abs() < 1e-9 * expected, "{distance} {expected}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree_and_are_a_distance(
            a in proptest::collection::vec(-3.0f64..3.0, 7 * 5),
            b in proptest::collection::vec(-3.0f64..3.0, 7 * 4),
        ) {
            let (a, b) = (features(7, a), features(7, b));
            let short = frechet_from_features(&a, &b).unwrap();
            let statistics = [&a, &b].map(|f| FeatureStatistics::of(f).unwrap());
            let long = frechet_distance(&statistics[0], &statistics[1]).unwrap();
            prop_assert!((short - long).abs() < 1e-5 * (1.0 + short), "{} {}", short, long);
            prop_assert!((short - frechet_from_features(&b, &a).unwrap()).abs() < 1e-9);
            prop_assert!(short > -1e-9);
            prop_assert!(frechet_from_features(&a, &a).unwrap().abs() < 1e-6);
            prop_assert!(frechet_distance(&statistics[0], &statistics[0]).unwrap().abs() < 1e-6);
        }
    }
}
