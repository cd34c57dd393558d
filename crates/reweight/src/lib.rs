//! Re-weighting of a diffusion U-Net's attention blocks (Sec. III-B, III-E, III-F of *Dynamic
//! Importance in Diffusion U-Net for Enhanced Image Synthesis*), and FreeU as the comparison.
//!
//! ```
//! use reweight::{BlockWeights, ImportanceScores, StepMatrix, WeightRange};
//!
//! let scores = ImportanceScores::new(StepMatrix::from_rows(vec![vec![0.2, 1.0, 0.6]])?)?;
//! let range = WeightRange::new(0.95, 1.1)?;
//! let weights = BlockWeights::importance(&scores, range);
//! assert!((weights.weights()[0][1] - 1.1).abs() < 1e-12);
//! # Ok::<(), reweight::ReweightError>(())
//! ```
//!
//! The example `schedule` writes a schedule file from scores of one's own.

#![warn(missing_docs)]

mod compose;
mod controls;
mod document;
mod error;
mod freeu;
mod intervention;
mod io;
mod matrix;
mod policy;
mod range;
mod resample;
mod residuals;
mod run;
mod schedule;
mod scores;
mod weights;
mod window;

pub use compose::Composed;
pub use document::{NoiseLevel, Origin, SCHEDULE_VERSION, Schedule, ScheduleModel};
pub use error::ReweightError;
pub use freeu::{FreeU, FreeUForm, FreeUGating};
pub use intervention::{SKIP_TOLERANCE, StepWeights, runs};
pub use matrix::StepMatrix;
pub use policy::{BatchPolicy, Policy};
pub use range::WeightRange;
pub use resample::Resampling;
pub use run::PolicyRun;
pub use scores::ImportanceScores;
pub use weights::{BlockWeights, MAX_WEIGHT};
pub use window::StepWindow;
