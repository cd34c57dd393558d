//! What can go wrong while something is measured.

use std::path::PathBuf;

#[cfg(feature = "networks")]
use clip::ClipError;
use files::FileError;
use pictures::{PictureError, SizeError};
#[cfg(feature = "networks")]
use weights::WeightsError;

/// What can go wrong while something is measured.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Two things to compare differ in size.
    #[error("expected the same size, found {left} and {right}")]
    Size {
        /// Size of the first.
        left: String,
        /// Size of the second.
        right: String,
    },
    /// Too little to measure.
    #[error("expected {expected}, found {found}")]
    TooSmall {
        /// What is needed.
        expected: &'static str,
        /// What there is.
        found: String,
    },
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A picture could not be read, or not be brought to another size.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A file or folder does not hold what it should.
    #[error("`{path}`: {reason}")]
    Broken {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// Something that none of several files holds.
    #[error("{0}")]
    Absent(String),
    /// Values of which one is NaN or infinite.
    #[error("{what}: expected finite numbers, found {found}")]
    NotFinite {
        /// What the values are.
        what: &'static str,
        /// The first that is none.
        found: f64,
    },
    /// A number of subsets that nobody waits for.
    #[error("expected 1 to {most} subsets, found {found}")]
    Subsets {
        /// What was asked for.
        found: usize,
        /// Most that are drawn.
        most: usize,
    },
    /// A matrix could not be decomposed, or holds what is no number.
    #[error("covariance: {0}")]
    Decomposition(String),
    /// A contrastive model or its tokenizer could not be loaded.
    #[cfg(feature = "networks")]
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// Weights could not be read or do not fit.
    #[cfg(feature = "networks")]
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

#[cfg(feature = "networks")]
impl MetricsError {
    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }
}

impl From<SizeError> for MetricsError {
    fn from(error: SizeError) -> Self {
        Self::Picture(error.into())
    }
}
