//! The settings of a scheduler configuration that are names.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SchedulerError;

/// What the U-Net predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise ε.
    Epsilon,
    /// The velocity v = √ᾱ ε − √(1−ᾱ) x₀.
    VPrediction,
    /// The clean sample x₀.
    Sample,
}

/// How the inference steps are spread over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestepSpacing {
    /// Evenly from first to last, both included.
    Linspace,
    /// Multiples of `num_train_timesteps / n`, plus `steps_offset`.
    Leading,
    /// Counted from the last timestep downwards.
    Trailing,
}

/// What is evenly spread over a run (`use_karras_sigmas`, `use_exponential_sigmas`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigmaSpacing {
    /// The timesteps: σ is what it is there.
    Timesteps,
    /// σ to the power of 1/7, so that steps are dense where σ is small (Karras et al., Eq. 5).
    Karras,
    /// The logarithm of σ.
    Exponential,
}

impl FromStr for SigmaSpacing {
    type Err = SchedulerError;

    /// Reads `timesteps`, `karras` or `exponential`.
    fn from_str(text: &str) -> Result<Self, SchedulerError> {
        match text {
            "timesteps" => Ok(Self::Timesteps),
            "karras" => Ok(Self::Karras),
            "exponential" => Ok(Self::Exponential),
            found => Err(SchedulerError::Sigmas { found: found.into() }),
        }
    }
}

/// Which equation DPM-Solver++ solves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlgorithmType {
    /// The ordinary one (`dpmsolver++`).
    Ode,
    /// The stochastic one, which adds fresh noise at each step (`sde-dpmsolver++`).
    Sde,
}

/// How β grows over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BetaSchedule {
    /// Linearly.
    Linear,
    /// Its square root grows linearly.
    ScaledLinear,
    /// By the cosine of ᾱ (Nichol and Dhariwal).
    SquaredcosCapV2,
}

/// Which second-order formula DPM-Solver++ uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SolverType {
    /// The midpoint rule.
    Midpoint,
    /// Heun's rule.
    Heun,
}
