/// What can go wrong while something is measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
}
