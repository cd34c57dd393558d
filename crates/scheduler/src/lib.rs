//! diffusers' noise schedulers in burn, read from a pipeline's own configuration: DDIM, Euler,
//! Euler ancestral, PNDM, Heun, DPM-Solver++ 2M and its stochastic form, LCM, and DDIM backwards.

#![warn(missing_docs)]

mod config;
mod config_json;
mod ddim;
mod ddim_inverse;
mod dpm_solver;
mod error;
mod euler;
mod heun;
mod kind;
mod lcm;
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
pub use ddim_inverse::DdimInverse;
pub use dpm_solver::DpmSolverMultistep;
pub use error::SchedulerError;
pub use euler::Euler;
pub use heun::Heun;
pub use kind::SchedulerKind;
pub use lcm::Lcm;
pub use noise::NoiseSchedule;
pub use options::{
    AlgorithmType, BetaSchedule, PredictionType, SigmaSpacing, SolverType, TimestepSpacing,
};
pub use pndm::Pndm;
