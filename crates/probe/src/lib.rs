//! The Importance Probe (Sec. III-C): a randomised search that lowers the weights of a student
//! U-Net's attention blocks, and raises the thresholds below which they are skipped, as far as its
//! noise predictions stay close to the teacher's; then voting (Sec. III-D).
//!
//! The search itself knows no tensors: it asks an [`Evaluator`] for the loss of candidates.
//! `UNetEvaluator` answers with a real pipeline (feature `pipeline`, on unless turned off).
//!
//! Beside the vote stand cheaper [`Estimates`] of what a block does to the prediction; an
//! [`ImportanceMap`] holds what either says. None of these says which way a block is to be turned:
//! [`FitState`] does for the signal-to-noise ratio of real pictures, [`TuneState`] for a score of
//! generated ones.
//!
//! ```
//! use probe::{Candidate, CounterDraws, Evaluator, ProbeConfig, ProbeError, ProbeState};
//!
//! /// Two blocks of a network of one's own, of which only the second matters.
//! struct Network;
//!
//! impl Evaluator for Network {
//!     fn batches(&self) -> usize { 1 }
//!     fn steps(&self) -> usize { 1 }
//!     fn blocks(&self) -> usize { 2 }
//!     fn losses(
//!         &mut self,
//!         _batch: usize,
//!         _step: usize,
//!         candidates: &[Candidate<'_>],
//!     ) -> Result<Vec<f64>, ProbeError> {
//!         Ok(candidates.iter().map(|candidate| (1.0 - candidate.weights[1]).powi(2)).collect())
//!     }
//! }
//!
//! let config = ProbeConfig { rounds: 3, epochs: 2, ..ProbeConfig::paper() };
//! let mut draws = CounterDraws::new(1);
//! let mut state = ProbeState::new(&config, 1, 2, &mut draws)?;
//! probe::search(&mut state, &mut Network, &mut draws, &mut |_| {}, &mut |_| Ok(()))?;
//! let vote = probe::vote(&state.thresholds(), 1)?;
//! assert_eq!(vote.scores[0].iter().sum::<usize>(), 3 * (1 + 2));
//! # Ok::<(), ProbeError>(())
//! ```
//!
//! The example `own_network` is the same with more blocks, and says how far the votes agree.

#![warn(missing_docs)]

mod agreement;
mod config;
mod draws;
mod error;
#[cfg(feature = "pipeline")]
mod evaluator;
mod fit;
mod importance;
#[cfg(feature = "pipeline")]
mod non_finite;
mod report;
mod search;
mod span;
mod state;
mod statistics;
mod student;
mod tune;
mod update;
mod voting;

pub use agreement::Agreement;
pub use config::{PerStep, ProbeConfig};
pub use draws::{CounterDraws, DrawAddress, UniformDraws};
pub use error::ProbeError;
#[cfg(feature = "pipeline")]
pub use evaluator::UNetEvaluator;
pub use fit::{
    BlockComponents, FitOutcome, FitPlan, FitReport, FitSettings, FitState, FittedWeights,
    GroupFit, Noised, PictureMoments, PictureNoise, Proposition, StepComponents, StepMoments,
    TargetEvaluator,
};
#[cfg(feature = "pipeline")]
pub use fit::{CaptionedPicture, PictureEvaluator};
pub use importance::{
    Cost, DERIVATIVE_STEP, Details, DifferenceEvaluator, Estimates, Estimator, Evidence,
    FastEvaluator, FastSearch, ImportanceMap, ImportanceMethod, MAX_MASK_BLOCKS, ReadScores,
    SkipSet, Subject,
};
#[cfg(feature = "pipeline")]
pub use importance::{Effect, Effects, LOWERED};
pub use report::{ProbeReport, block_labels, block_path};
pub use reweight::NoiseLevel;
pub use search::{Candidate, Evaluator, Progress, energy, fitness, perturb, search};
pub use span::Span;
pub use state::{ProbeState, RoundState};
pub use statistics::{Interval, VoteSummary, bootstrap_scores, kendalls_w, spearman};
pub use student::Mean;
pub use tune::{
    Evaluation, SampleSet, ScoreEvaluator, Trial, TuneReport, TuneSettings, TuneState, Tuned,
};
pub use update::{AcceptedWeights, RejectedWeights, UpdateStrategy};
pub use voting::{Vote, vote};
