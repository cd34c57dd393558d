use serde::{Deserialize, Serialize};

use crate::{ProbeError, UpdateStrategy};

/// A value for every inference step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerStep {
    /// Linear from the first step to the last.
    Linear {
        /// Value at the first step.
        start: f64,
        /// Value at the last step.
        end: f64,
    },
    /// One value per step.
    List(Vec<f64>),
}

impl PerStep {
    /// The values for `steps` steps.
    ///
    /// # Errors
    /// [`ProbeError::Config`] where a list has another length or a value is negative.
    pub fn values(&self, steps: usize) -> Result<Vec<f64>, ProbeError> {
        let values = match self {
            Self::Linear { start, end } => {
                let spacing = if steps > 1 { (end - start) / (steps - 1) as f64 } else { 0.0 };
                let mut values: Vec<f64> = (0..steps).map(|i| i as f64 * spacing + start).collect();
                if steps > 1 {
                    values[steps - 1] = *end;
                }
                values
            }
            Self::List(values) if values.len() == steps => values.clone(),
            Self::List(values) => {
                return Err(ProbeError::Config(format!(
                    "expected {steps} values, one per step, found {}",
                    values.len()
                )));
            }
        };
        match values.iter().find(|value| !value.is_finite() || **value < 0.0) {
            Some(value) => {
                Err(ProbeError::Config(format!("expected values of 0 or more, found {value}")))
            }
            None => Ok(values),
        }
    }
}

/// Everything that determines a probe besides the model and the samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Independent runs `r`, whose results vote.
    pub rounds: usize,
    /// Epochs of each run.
    pub epochs: usize,
    /// Perturbed weight sets tried per step and epoch.
    pub candidates: usize,
    /// Whether perturbations may only lower weights, so that the energy falls (paper); the
    /// published code perturbs both ways.
    pub energy_drop: bool,
    /// Initial weights are uniform in [this, 1].
    pub initial_low: f64,
    /// Largest accepted mean squared difference of the noise predictions.
    pub loss_tolerance: PerStep,
    /// Largest perturbation of a weight (the Weight Bias Schedule).
    pub weight_bias: PerStep,
    /// How far below an accepted weight its threshold is set.
    pub weight_eps: f64,
    /// Threshold Update Schedule.
    pub update: UpdateStrategy,
    /// Seed of all random draws.
    pub seed: u64,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self::paper()
    }
}

impl ProbeConfig {
    /// As the paper describes it.
    pub fn paper() -> Self {
        Self {
            rounds: 15,
            epochs: 20,
            candidates: 4,
            energy_drop: true,
            initial_low: 0.99,
            loss_tolerance: PerStep::Linear { start: 1e-4, end: 2e-4 },
            weight_bias: PerStep::Linear { start: 0.02, end: 0.05 },
            weight_eps: 0.01,
            update: UpdateStrategy::default(),
            seed: 42,
        }
    }

    /// As the published code does it: one candidate, perturbed both ways, from [0.995, 1].
    pub fn reference() -> Self {
        Self { candidates: 1, energy_drop: false, initial_low: 0.995, ..Self::paper() }
    }

    /// Candidate evaluations of one probe over `steps` steps and `batches` batches of samples.
    pub fn evaluations(&self, steps: usize, batches: usize) -> usize {
        self.rounds * self.epochs * self.candidates * steps * batches
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming the one that is wrong.
    pub fn check(&self, steps: usize) -> Result<(), ProbeError> {
        let fail = |text: String| Err(ProbeError::Config(text));
        for (name, value) in [
            ("rounds", self.rounds),
            ("epochs", self.epochs),
            ("candidates", self.candidates),
            ("steps", steps),
        ] {
            if value == 0 {
                return fail(format!("`{name}` must be above 0"));
            }
        }
        if !(0.0..=1.0).contains(&self.initial_low) {
            return fail(format!("`initial_low` must be from 0 to 1, found {}", self.initial_low));
        }
        if !(self.weight_eps.is_finite() && self.weight_eps >= 0.0) {
            return fail(format!("`weight_eps` must be 0 or more, found {}", self.weight_eps));
        }
        self.loss_tolerance.values(steps)?;
        self.weight_bias.values(steps)?;
        self.update.check()
    }
}
