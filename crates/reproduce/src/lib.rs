//! Runs the paper's experiments on a model and renders their tables and figures.
//!
//! An experiment is a TOML file; its work is cut into units (a probe, the signal-to-noise ratio of
//! one picture under one weighting, a sampled picture), each stored once under a key of everything
//! it depends on. A run that is killed at any moment goes on where it was.

#![warn(missing_docs)]

mod chart;
mod context;
mod error;
mod estimate;
mod experiment;
mod figures;
mod html;
mod measure;
mod paper;
mod part;
mod pictures;
mod plan;
mod prompts;
mod pruning;
mod ranking;
mod rate;
mod run;
mod sampling;
mod scores;
mod settings;
mod store;
mod study;
mod table;
mod tables;
mod units;
mod weightings;

pub use context::{Context, RunOptions};
pub use error::ReproduceError;
pub use estimate::{Plan, Rate, plan};
pub use experiment::Experiment;
pub use part::Part;
pub use plan::Shard;
pub use rate::seconds_per_sample;
pub use run::{Outcome, Progress, run, work};
pub use settings::{PromptSettings, PruningSettings, Scale, Scales, ScorerConfig, Size};
pub use study::Study;
pub use table::{Cell, Table};
