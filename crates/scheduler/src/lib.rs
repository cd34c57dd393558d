//! diffusers' noise schedulers in burn, read from a pipeline's own configuration: DDIM, Euler,
//! Euler ancestral, PNDM and DPM-Solver++ 2M.

#![warn(missing_docs)]

mod config;
mod config_json;
mod ddim;
mod dpm_solver;
mod error;
mod euler;
mod kind;
mod noise;
mod options;
mod pndm;
mod scheduler;
mod sigmas;
mod spacing;
mod threshold;

pub use crate::config::SchedulerConfig;
pub use crate::scheduler::{Scheduler, StepNoise};
pub use ddim::Ddim;
pub use dpm_solver::DpmSolverMultistep;
pub use error::SchedulerError;
pub use euler::Euler;
pub use kind::SchedulerKind;
pub use noise::NoiseSchedule;
pub use options::{BetaSchedule, PredictionType, SolverType, TimestepSpacing};
pub use pndm::Pndm;
