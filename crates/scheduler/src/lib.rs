//! diffusers' noise schedulers in burn, read from a pipeline's own configuration: DDIM, Euler,
//! Euler ancestral, PNDM, Heun, DPM-Solver++ 2M and its stochastic form, LCM, and DDIM backwards.
//!
//! ```
//! use scheduler::{SchedulerConfig, SchedulerKind};
//!
//! let json = r#"{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "steps_offset": 1}"#;
//! let config = SchedulerConfig::from_json(json, "scheduler_config.json")?;
//! let ddim = config.build(SchedulerKind::Ddim, 4)?;
//! assert_eq!(ddim.timesteps(), [751.0, 501.0, 251.0, 1.0]);
//! # Ok::<(), scheduler::SchedulerError>(())
//! ```
//!
//! The example `denoise` samples with a network that knows the answer.

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
mod level;
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
