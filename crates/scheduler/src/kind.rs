use serde::{Deserialize, Serialize};

use crate::SchedulerError;

/// What the U-Net predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Evenly from first to last, both included.
    Linspace,
    /// Multiples of `num_train_timesteps / n`, plus `steps_offset`.
    Leading,
    /// Counted from the last timestep downwards.
    Trailing,
}

/// How β grows over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BetaSchedule {
    /// Linearly.
    #[serde(rename = "linear")]
    Linear,
    /// Its square root grows linearly.
    #[serde(rename = "scaled_linear")]
    ScaledLinear,
    /// By the cosine of ᾱ (Nichol and Dhariwal).
    #[serde(rename = "squaredcos_cap_v2")]
    SquaredcosCapV2,
}

/// The implemented scheduler classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchedulerKind {
    /// `DDIMScheduler`.
    #[serde(rename = "DDIMScheduler")]
    Ddim,
    /// `EulerDiscreteScheduler` without churn.
    #[serde(rename = "EulerDiscreteScheduler")]
    Euler,
    /// `EulerAncestralDiscreteScheduler`: fresh noise after every step but the last.
    #[serde(rename = "EulerAncestralDiscreteScheduler")]
    EulerAncestral,
    /// `PNDMScheduler` without Runge-Kutta steps (PLMS).
    #[serde(rename = "PNDMScheduler")]
    Pndm,
    /// `DPMSolverMultistepScheduler`: DPM-Solver++ of order 1 or 2.
    #[serde(rename = "DPMSolverMultistepScheduler")]
    DpmSolverMultistep,
}

impl SchedulerKind {
    /// All classes.
    pub const ALL: [Self; 5] =
        [Self::Ddim, Self::Euler, Self::EulerAncestral, Self::Pndm, Self::DpmSolverMultistep];

    /// diffusers' class name.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerAncestral => "EulerAncestralDiscreteScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::DpmSolverMultistep => "DPMSolverMultistepScheduler",
        }
    }

    /// The short name used on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-a",
            Self::Pndm => "pndm",
            Self::DpmSolverMultistep => "dpm++2m",
        }
    }
}

impl std::str::FromStr for SchedulerKind {
    type Err = SchedulerError;

    /// Reads a short name or diffusers' class name.
    fn from_str(text: &str) -> Result<Self, SchedulerError> {
        let known = |kind: &Self| text == kind.name() || text == kind.class_name();
        Self::ALL.into_iter().find(known).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join("`, `");
            SchedulerError::Kind { found: text.into(), known: names }
        })
    }
}

/// Which second-order formula DPM-Solver++ uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolverType {
    /// The midpoint rule.
    Midpoint,
    /// Heun's rule.
    Heun,
}
