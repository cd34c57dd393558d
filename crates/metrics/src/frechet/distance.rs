use faer::{Mat, Side};

use super::FeatureStatistics;
use super::statistics::centre;
use crate::MetricsError;
use crate::networks::Features;

/// The Fréchet distance of two Gaussians, `|μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr √(Σ₁Σ₂)`.
///
/// The trace is that of `√(√Σ₁ Σ₂ √Σ₁)`, which is symmetric: no complex roots, singular
/// covariances need no care.
///
/// # Errors
/// [`MetricsError::Size`] for vectors of different lengths, [`MetricsError::Decomposition`] for
/// covariances with NaN or infinity.
pub fn frechet_distance(a: &FeatureStatistics, b: &FeatureStatistics) -> Result<f64, MetricsError> {
    same_dims(a.dims(), b.dims())?;
    if a.covariance.iter().chain(&b.covariance).any(|value| !value.is_finite()) {
        return Err(MetricsError::Decomposition("a value is NaN or infinite".into()));
    }
    let root = square_root(&a.matrix())?;
    let product = &root * b.matrix() * &root;
    let symmetric = Mat::from_fn(product.nrows(), product.ncols(), |row, column| {
        0.5 * (product[(row, column)] + product[(column, row)])
    });
    let values = symmetric.self_adjoint_eigenvalues(Side::Lower).map_err(undecomposed)?;
    let trace: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
    Ok(mean_distance(&a.mean, &b.mean) + diagonal(a) + diagonal(b) - 2.0 * trace)
}

/// The same distance from the vectors themselves.
///
/// With `X₁`, `X₂` the centred vectors, `tr √(Σ₁Σ₂)` is the sum of the singular values of
/// `X₁ X₂ᵀ / √((n₁ − 1)(n₂ − 1))`: exact, and small where there are fewer vectors than dimensions,
/// which is when covariances are singular.
///
/// # Errors
/// [`MetricsError::TooSmall`] for fewer than two vectors, otherwise as [`frechet_distance`].
pub fn frechet_from_features(a: &Features, b: &Features) -> Result<f64, MetricsError> {
    same_dims(a.dims, b.dims)?;
    if a.count().min(b.count()) >= a.dims {
        return frechet_distance(&FeatureStatistics::of(a)?, &FeatureStatistics::of(b)?);
    }
    let ((mean_a, centred_a), (mean_b, centred_b)) = (centre(a)?, centre(b)?);
    let degrees = [a.count() - 1, b.count() - 1].map(|count| count as f64);
    let product = &centred_a * centred_b.transpose();
    let singular = product.singular_values().map_err(undecomposed)?;
    let trace = singular.iter().sum::<f64>() / (degrees[0] * degrees[1]).sqrt();
    let total = |centred: &Mat<f64>, degrees: f64| centred.squared_norm_l2() / degrees;
    let spread = total(&centred_a, degrees[0]) + total(&centred_b, degrees[1]);
    Ok(mean_distance(&mean_a, &mean_b) + spread - 2.0 * trace)
}

fn same_dims(a: usize, b: usize) -> Result<(), MetricsError> {
    if a == b {
        return Ok(());
    }
    Err(MetricsError::Size { left: format!("{a} dimensions"), right: format!("{b} dimensions") })
}

fn mean_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn diagonal(statistics: &FeatureStatistics) -> f64 {
    statistics.covariance.iter().step_by(statistics.dims() + 1).sum()
}

fn undecomposed(error: impl std::fmt::Debug) -> MetricsError {
    MetricsError::Decomposition(format!("{error:?}"))
}

/// The symmetric root of a positive semi-definite matrix; eigenvalues below 0 are rounding.
fn square_root(matrix: &Mat<f64>) -> Result<Mat<f64>, MetricsError> {
    let decomposed = matrix.self_adjoint_eigen(Side::Lower).map_err(undecomposed)?;
    let (vectors, values) = (decomposed.U(), decomposed.S().column_vector());
    let scaled = Mat::from_fn(vectors.nrows(), vectors.ncols(), |row, column| {
        vectors[(row, column)] * values[column].max(0.0).sqrt()
    });
    Ok(scaled * vectors.transpose())
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
