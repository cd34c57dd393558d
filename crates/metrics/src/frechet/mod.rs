//! Distances between sets of feature vectors.

mod distance;
mod factor;
mod kernel;
mod matrix;
mod npy;
mod npz;
mod nuclear;
mod statistics;

pub use distance::{frechet_distance, frechet_from_features};
pub use kernel::{Kid, kernel_distance};
pub use statistics::FeatureStatistics;
