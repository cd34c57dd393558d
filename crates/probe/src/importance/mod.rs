//! Importance maps: what estimators and the vote say, in one form, and its files.

#[cfg(feature = "pipeline")]
mod effects;
mod estimate;
mod fast;
mod file;
mod games;
mod map;
mod ranks;
mod runs;

#[cfg(feature = "pipeline")]
pub use effects::{Effect, Effects, LOWERED};
pub use estimate::{DERIVATIVE_STEP, DifferenceEvaluator, Estimates, Estimator, MAX_MASK_BLOCKS};
pub use fast::{FastEvaluator, FastSearch};
pub use file::ReadScores;
pub use games::SkipSet;
pub use map::{Cost, Details, Evidence, ImportanceMap, ImportanceMethod, Subject};
pub(crate) use ranks::ranks;
