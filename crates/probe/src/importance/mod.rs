//! Importance maps: what estimators and the vote say, in one form, and its files.

mod estimate;
mod file;
mod games;
mod map;
mod ranks;

pub use estimate::{DERIVATIVE_STEP, DifferenceEvaluator, Estimates, Estimator, MAX_MASK_BLOCKS};
pub use games::SkipSet;
pub use map::{Cost, Details, Evidence, ImportanceMap, ImportanceMethod, NoiseLevel, Subject};
