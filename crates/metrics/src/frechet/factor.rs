//! Covariances as products `FᵀF / degrees`.

use rayon::prelude::*;

use super::FeatureStatistics;
use super::matrix::Matrix;
use crate::MetricsError;

/// How far a covariance may be from a symmetric, positive semi-definite one, relative to its
/// largest variance: what sums and storage in 32 bits leave.
const SLACK: f64 = 1e-5;
/// Columns that one thread computes together.
const CHUNK: usize = 512;

/// A covariance `FᵀF / degrees`.
#[derive(Debug)]
pub(super) struct Factor {
    /// `F`, with as many rows as the covariance has dimensions that vary, or more.
    pub(super) rows: Matrix,
    pub(super) degrees: f64,
}

impl Factor {
    /// The sum of the variances.
    pub(super) fn trace(&self) -> f64 {
        self.rows.squared_norm() / self.degrees
    }

    /// Cholesky's decomposition with pivots, which ends where nothing varies any more (LAPACK's
    /// `dpstrf`, with its tolerance).
    ///
    /// # Errors
    /// [`MetricsError::Decomposition`] for a matrix that is no covariance: with NaN or infinity,
    /// not symmetric, or with a negative variance in some direction.
    pub(super) fn of(statistics: &FeatureStatistics) -> Result<Self, MetricsError> {
        let (dims, covariance) = (statistics.dims(), &statistics.covariance);
        let largest = check(dims, covariance)?;
        let tolerance = dims as f64 * f64::EPSILON * largest;
        let mut variances: Vec<f64> = covariance.iter().step_by(dims + 1).copied().collect();
        let mut left: Vec<usize> = (0..dims).collect();
        let mut values: Vec<f64> = Vec::new();
        while let Some(at) = position_of_largest(&left, &variances) {
            let pivot = left.swap_remove(at);
            let mut row = covariance[pivot * dims..][..dims].to_vec();
            subtract(&values, dims, pivot, &mut row);
            let variance = row[pivot];
            // In a covariance nothing varies together by more than the largest variance.
            let most = left.iter().map(|column| row[*column].abs()).fold(0.0, f64::max);
            if variance < -SLACK * largest || most - variance.max(0.0) > SLACK * largest {
                return Err(MetricsError::Decomposition(format!(
                    "expected a positive semi-definite matrix, found a direction of variance {:e} \
                     (largest variance {largest:e})",
                    variance.min(variance - most)
                )));
            }
            if variance <= tolerance || most > variance + tolerance {
                continue;
            }
            let root = variance.sqrt();
            let start = values.len();
            values.resize(start + dims, 0.0);
            values[start + pivot] = root;
            for column in left.iter().copied() {
                let value = row[column] / root;
                values[start + column] = value;
                variances[column] -= value * value;
            }
        }
        let rows = values.len() / dims.max(1);
        Ok(Self { rows: Matrix { rows, columns: dims, values }, degrees: 1.0 })
    }
}

/// Takes away from `row`, of the covariance, what the rows of the factor explain of it.
fn subtract(factor: &[f64], dims: usize, pivot: usize, row: &mut [f64]) {
    row.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, part)| {
        for explained in factor.chunks_exact(dims) {
            let share = explained[pivot];
            let explained = &explained[chunk * CHUNK..];
            part.iter_mut().zip(explained).for_each(|(value, e)| *value -= share * e);
        }
    });
}

fn position_of_largest(left: &[usize], variances: &[f64]) -> Option<usize> {
    let variance = |position: &usize| variances[left[*position]];
    (0..left.len()).max_by(|a, b| variance(a).total_cmp(&variance(b)))
}

/// The largest variance of a matrix that is finite and symmetric.
fn check(dims: usize, covariance: &[f64]) -> Result<f64, MetricsError> {
    let refuse = |reason: String| Err(MetricsError::Decomposition(reason));
    if covariance.iter().any(|value| !value.is_finite()) {
        return refuse("expected finite values, found NaN or infinity".into());
    }
    let largest = covariance.iter().step_by(dims + 1).fold(0.0f64, |most, v| most.max(v.abs()));
    for row in 0..dims {
        for column in 0..row {
            let (a, b) = (covariance[row * dims + column], covariance[column * dims + row]);
            if (a - b).abs() > SLACK * largest {
                return refuse(format!(
                    "expected a symmetric matrix, found {a:e} at [{row}, {column}] and {b:e} at \
                     [{column}, {row}]"
                ));
            }
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statistics(covariance: Vec<f64>) -> FeatureStatistics {
        let dims = (covariance.len() as f64).sqrt() as usize;
        FeatureStatistics { count: None, mean: vec![0.0; dims], covariance }
    }

    #[test]
    fn matrices_that_are_no_covariance_are_refused() {
        for (covariance, word) in [
            (vec![1.0, f64::NAN, 0.0, 1.0], "NaN"),
            (vec![f64::INFINITY, 0.0, 0.0, 1.0], "infinity"),
            (vec![1.0, 0.5, 0.4, 1.0], "symmetric"),
            (vec![1.0, 0.0, 0.0, -1.0], "semi-definite"),
            (vec![0.0, 1.0, 1.0, 0.0], "semi-definite"),
            (vec![1.0, 2.0, 2.0, 1.0], "semi-definite"),
            (vec![1.0, 1.0, 0.0, 1.0, 1.0, 0.1, 0.0, 0.1, 1.0], "semi-definite"),
        ] {
            let message = Factor::of(&statistics(covariance.clone())).unwrap_err().to_string();
            assert!(message.contains(word), "{covariance:?}: {message}");
        }
    }

    #[test]
    fn what_does_not_vary_is_left_out() {
        let factor = Factor::of(&statistics(vec![0.0; 9])).unwrap();
        assert_eq!((factor.rows.rows, factor.trace()), (0, 0.0));
        // (1, 2, 3) times itself, stored in 32 bits with a rounding in one place.
        let mut covariance = vec![1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 3.0, 6.0, 9.0];
        covariance[4] -= 2.4e-7;
        let factor = Factor::of(&statistics(covariance)).unwrap();
        assert_eq!(factor.rows.rows, 1);
        assert!((factor.trace() - 14.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn factors_give_the_covariance_back(
            values in proptest::collection::vec(-2.0f64..2.0, 5 * 7), rows in 1usize..=5,
        ) {
            let vectors = Matrix { rows, columns: 7, values: values[..rows * 7].to_vec() };
            let covariance = vectors.gram();
            let factor = Factor::of(&statistics(covariance.values.clone())).unwrap();
            prop_assert!(factor.rows.rows <= rows);
            for (a, b) in factor.rows.gram().values.iter().zip(&covariance.values) {
                prop_assert!((a - b).abs() < 1e-9, "{} {}", a, b);
            }
        }
    }
}
