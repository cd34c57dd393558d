//! Compares the workspace's crates with reference outputs that diffusers, transformers and the
//! authors' code gave: every case in a folder, one line per tensor, and a failure for any excess or
//! any case that was not run, on the device and in the data type that are asked for.

#![warn(missing_docs)]

mod arithmetic;
mod case;
mod facts;
mod golden;
mod metrics;
mod pipelines;
mod probe_core;
mod probe_runs;
mod report;
mod run;
mod sampler;
mod schedulers;
mod text;
mod tokens;
mod trace;
mod trajectories;
mod unet;
mod update_rules;
mod vae;

pub use arithmetic::Arithmetic;
pub use report::Report;
pub use run::run;
