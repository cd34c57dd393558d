//! Means and covariances of feature vectors.

use std::path::Path;

use super::matrix::Matrix;
use super::npz;
use crate::MetricsError;
use crate::networks::Features;

/// Mean and covariance of feature vectors, in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStatistics {
    /// Number of vectors, where the file they came from says so.
    pub count: Option<usize>,
    /// Mean, `dims` values.
    pub mean: Vec<f64>,
    /// Covariance (divisor `count − 1`), `dims · dims` values.
    pub covariance: Vec<f64>,
}

/// Fewest vectors a covariance can be computed from.
const LEAST: usize = 2;

impl FeatureStatistics {
    /// Statistics of at least two vectors.
    ///
    /// # Errors
    /// [`MetricsError::TooSmall`] for fewer, [`MetricsError::NotFinite`] for NaN or infinity.
    pub fn of(features: &Features) -> Result<Self, MetricsError> {
        let (mean, centred) = centre(features)?;
        let scale = 1.0 / (features.count() - 1) as f64;
        let covariance = centred.gram().values.into_iter().map(|value| value * scale).collect();
        Ok(Self { count: Some(features.count()), mean, covariance })
    }

    /// Length of a vector.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Reads an `.npz` as pytorch-fid writes it: arrays `mu` and `sigma`.
    ///
    /// # Errors
    /// [`MetricsError`] naming the file and the array that is absent or has a wrong shape.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        npz::load(path.as_ref())
    }

    /// Writes an `.npz` that pytorch-fid reads; `n`, the number of vectors, is added to its arrays.
    ///
    /// The file appears complete or not at all.
    ///
    /// # Errors
    /// [`MetricsError::File`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), MetricsError> {
        npz::save(self, path.as_ref())
    }

    /// Checks that the covariance is as large as the mean says, and all values finite.
    pub(super) fn check(&self) -> Result<(), MetricsError> {
        let (expected, found) = (self.dims() * self.dims(), self.covariance.len());
        if self.dims() == 0 || expected != found {
            return Err(MetricsError::Decomposition(format!(
                "expected {expected} values for {} dimensions, found {found}",
                self.dims()
            )));
        }
        match self.mean.iter().all(|value| value.is_finite()) {
            true => Ok(()),
            false => Err(MetricsError::Decomposition(
                "expected a finite mean, found NaN or infinity".into(),
            )),
        }
    }
}

/// The mean, and the vectors without it as rows.
pub(super) fn centre(features: &Features) -> Result<(Vec<f64>, Matrix), MetricsError> {
    let (count, dims) = (features.count(), features.dims);
    if count < LEAST {
        return Err(MetricsError::TooSmall {
            expected: "at least 2 pictures for a covariance",
            found: count.to_string(),
        });
    }
    features.check()?;
    let mut mean = vec![0.0; dims];
    for row in features.rows() {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= count as f64);
    let values =
        features.rows().flat_map(|row| row.iter().zip(&mean).map(|(x, m)| x - m)).collect();
    Ok((mean, Matrix { rows: count, columns: dims, values }))
}
