//! How far sampled pictures are from real ones as sets.

use metrics::{Features, Kid, MetricsError, frechet_from_features, kernel_distance};
use serde::Serialize;

/// Subsets that the kernel distance is averaged over, and vectors in each.
const SUBSETS: (usize, usize) = (100, 100);

/// Distances between sets of a scorer's unit vectors.
///
/// They depend on the scorer and on how many pictures there are, and compare only with distances
/// of the same scorer between as many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SetDistance {
    /// Vectors of each set.
    pub pictures: [usize; 2],
    /// Fréchet distance, as FID of Inception's features.
    pub frechet: f64,
    /// Kernel distance, as KID of Inception's features.
    pub kernel: Kid,
}

impl SetDistance {
    /// Compares two sets of at least four vectors.
    pub(super) fn new(network: &str, a: &[Vec<f32>], b: &[Vec<f32>]) -> Result<Self, MetricsError> {
        let features = |vectors: &[Vec<f32>]| Features {
            network: network.into(),
            dims: vectors.first().map_or(0, Vec::len),
            values: vectors.iter().flatten().map(|value| f64::from(*value)).collect(),
        };
        let [features_a, features_b] = [features(a), features(b)];
        let (subsets, size) = SUBSETS;
        Ok(Self {
            pictures: [a.len(), b.len()],
            frechet: frechet_from_features(&features_a, &features_b)?,
            kernel: kernel_distance(&features_a, &features_b, subsets, size, 0)?,
        })
    }
}
