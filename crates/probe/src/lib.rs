//! The Importance Probe (Sec. III-C): a randomised search that lowers the weights of a student
//! U-Net's attention blocks, and raises the thresholds below which they are skipped, as far as its
//! noise predictions stay close to the teacher's; then voting (Sec. III-D).
//!
//! The search itself knows no tensors: it asks an [`Evaluator`] for the loss of candidates.
//! [`UNetEvaluator`] answers with a real pipeline.
//!
//! Beside the vote stand cheaper [`Estimates`] of what a block does to the prediction; an
//! [`ImportanceMap`] holds what either says.

#![warn(missing_docs)]

mod agreement;
mod config;
mod draws;
mod error;
mod evaluator;
mod importance;
mod non_finite;
mod report;
mod search;
mod state;
mod statistics;
mod update;
mod voting;

pub use agreement::Agreement;
pub use config::{PerStep, ProbeConfig};
pub use draws::{CounterDraws, DrawAddress, UniformDraws};
pub use error::ProbeError;
pub use evaluator::UNetEvaluator;
pub use importance::{
    Cost, DERIVATIVE_STEP, Details, DifferenceEvaluator, Effect, Effects, Estimates, Estimator,
    Evidence, FastEvaluator, ImportanceMap, ImportanceMethod, LOWERED, MAX_MASK_BLOCKS, NoiseLevel,
    SkipSet, Subject, read_scores,
};
pub use report::{ProbeReport, block_labels};
pub use search::{Candidate, Evaluator, Progress, energy, fitness, perturb, search};
pub use state::{ProbeState, RoundState};
pub use statistics::{Interval, VoteSummary, bootstrap_scores, kendalls_w, spearman};
pub use update::{AcceptedWeights, RejectedWeights, UpdateStrategy};
pub use voting::{Vote, vote};
