//! The Importance Probe (Sec. III-C): a randomised search that lowers the weights of a student
//! U-Net's attention blocks, and raises the thresholds below which they are skipped, as far as its
//! noise predictions stay close to the teacher's; then voting (Sec. III-D).
//!
//! The search itself knows no tensors: it asks an [`Evaluator`] for the loss of candidates.
//! [`UNetEvaluator`] answers with a real pipeline.
//!
//! Beside the vote stand cheaper [`Estimates`] of what a block does to the prediction; an
//! [`ImportanceMap`] holds what either says. None of these says which way a block is to be turned:
//! [`FitState`] does for the signal-to-noise ratio of real pictures, [`TuneState`] for a score of
//! generated ones.

#![warn(missing_docs)]

mod agreement;
mod config;
mod draws;
mod error;
mod evaluator;
mod fit;
mod importance;
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
pub use evaluator::UNetEvaluator;
pub use fit::{
    BlockComponents, CaptionedPicture, FitOutcome, FitPlan, FitReport, FitSettings, FitState,
    FittedWeights, GroupFit, Noised, PictureEvaluator, PictureMoments, PictureNoise, Proposition,
    StepComponents, StepMoments, TargetEvaluator,
};
pub use importance::{
    Cost, DERIVATIVE_STEP, Details, DifferenceEvaluator, Effect, Effects, Estimates, Estimator,
    Evidence, FastEvaluator, ImportanceMap, ImportanceMethod, LOWERED, MAX_MASK_BLOCKS, ReadScores,
    SkipSet, Subject,
};
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
