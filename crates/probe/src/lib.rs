//! The Importance Probe (Sec. III-C): a randomised search that lowers the weights of a student
//! U-Net's attention blocks, and raises the thresholds below which they are skipped, as far as its
//! noise predictions stay close to the teacher's; then voting (Sec. III-D) and pruning strategies
//! (Sec. III-G).
//!
//! The search itself knows no tensors: it asks an [`Evaluator`] for the loss of candidates.
//! [`UNetEvaluator`] answers with a real pipeline.

#![warn(missing_docs)]

mod config;
mod draws;
mod error;
mod evaluator;
mod heatmap;
mod search;
mod state;
mod statistics;
mod strategies;
mod update;
mod voting;

pub use config::{PerStep, ProbeConfig};
pub use draws::{CounterDraws, DrawAddress, UniformDraws};
pub use error::ProbeError;
pub use evaluator::UNetEvaluator;
pub use heatmap::heatmap_svg;
pub use search::{Candidate, Evaluator, Progress, energy, fitness, perturb, search};
pub use state::{ProbeState, RoundState};
pub use statistics::{Interval, bootstrap_scores, kendalls_w};
pub use strategies::{
    PruningStrategy, SKIP_THRESHOLD, skip_strategies, static_blocks, static_pairs,
};
pub use update::{AcceptedWeights, RejectedWeights, UpdateStrategy};
pub use voting::{Vote, vote};
