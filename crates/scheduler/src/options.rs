//! The settings of a scheduler configuration that are names.

use serde::Serialize;

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
