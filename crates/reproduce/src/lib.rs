//! Runs the paper's experiments on a model and renders their tables and figures.
//!
//! An experiment is a TOML file; its work is cut into units (a probe, the signal-to-noise ratio of
//! one picture under one weighting, a sampled picture), each stored once under a key of everything
//! it depends on. A run that is killed at any moment goes on where it was.

#![warn(missing_docs)]

mod chart;
mod context;
mod error;
mod experiment;
mod html;
mod measure;
mod paper;
mod pictures;
mod plan;
mod run;
mod scores;
mod store;
mod table;
mod tables;
mod units;
mod weightings;

pub use context::Context;
pub use error::ReproduceError;
pub use experiment::{Experiment, Part, Scale, ScorerConfig};
pub use plan::Plan;
pub use run::{Outcome, Progress, plan, run};
pub use table::{Cell, Table};
