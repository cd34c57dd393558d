//! Which way to turn, on real pictures: signed first-order gradients of the training loss with the
//! blocks' weights, least-squares weights, what they do to the signal-to-noise ratio (Eq. 2) of
//! pictures they were not fitted on, and the terms of the paper's Proposition 1.

mod components;
mod moments;
#[cfg(feature = "pipeline")]
mod pictures;
#[cfg(feature = "pipeline")]
mod recorder;
mod report;
mod run;
mod solve;
mod targets;
mod weights;

pub use components::{BlockComponents, StepComponents};
pub use moments::{PictureMoments, StepMoments};
#[cfg(feature = "pipeline")]
pub use pictures::{CaptionedPicture, PictureEvaluator};
pub use report::{FitOutcome, FitReport, Proposition};
pub use run::{FitPlan, FitState};
pub use targets::{Noised, PictureNoise, TargetEvaluator};
pub use weights::{FitSettings, FittedWeights, GroupFit};
