//! Runs the paper's experiments on a model and renders their tables and figures: plan, run, report.
//!
//! An experiment is a TOML file; its work is cut into units (a probe, the signal-to-noise ratio of
//! one picture under one weighting, a sampled picture), each stored once, with a checksum, under a
//! key of everything it depends on. A run that is killed at any moment goes on where it was;
//! results that are damaged are computed again.

#![warn(missing_docs)]

mod error;
mod plan;
mod report;
mod run;

pub use error::ReproduceError;
pub use plan::{
    Balance, Experiment, Part, PromptSettings, PruningSettings, Scale, Scales, ScorerConfig, Shard,
    Size, Study,
};
pub use report::{Cell, Outcome, Table, run};
pub use run::{
    Context, Damage, Estimate, Event, MeasuredRate, Progress, Rate, RunOptions, estimate, prepare,
    work,
};
