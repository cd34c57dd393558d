use std::path::PathBuf;

use clip::ClipError;
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
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A file or folder does not hold what it should.
    #[error("`{path}`: {reason}")]
    Broken {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A matrix could not be decomposed, or holds what is no number.
    #[error("covariance: {0}")]
    Decomposition(String),
    /// A contrastive model or its tokenizer could not be loaded.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// Weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl MetricsError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }
}
