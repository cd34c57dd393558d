//! The settings of a probe, and the one place where they are checked.

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
    /// The values for `steps` steps, from 1 to [`ProbeConfig::MAX_STEPS`].
    ///
    /// # Errors
    /// [`ProbeError::Config`] for another number of steps, where a list has another length, or a
    /// value is negative.
    pub fn values(&self, steps: usize) -> Result<Vec<f64>, ProbeError> {
        within("steps", steps, ProbeConfig::MAX_STEPS)?;
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

fn within(name: &str, value: usize, most: usize) -> Result<(), ProbeError> {
    match value {
        1.. if value <= most => Ok(()),
        _ => Err(ProbeError::Config(format!("`{name}` must be from 1 to {most}, found {value}"))),
    }
}

/// Everything that determines a probe besides the model and the samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Independent runs `r`, whose results vote; 1 to [`Self::MAX_COUNT`].
    pub rounds: usize,
    /// Epochs of each run; 1 to [`Self::MAX_COUNT`].
    pub epochs: usize,
    /// Perturbed weight sets tried per step and epoch; 1 to [`Self::MAX_COUNT`].
    pub candidates: usize,
    /// Whether perturbations may only lower weights, so that the energy falls (paper); the
    /// published code perturbs both ways.
    pub energy_drop: bool,
    /// Initial weights are uniform in [this, 1]; 0 to 1.
    pub initial_low: f64,
    /// Largest accepted mean squared difference of the noise predictions; 0 or more.
    pub loss_tolerance: PerStep,
    /// Largest perturbation of a weight (the Weight Bias Schedule); 0 or more.
    pub weight_bias: PerStep,
    /// How far below an accepted weight its threshold is set; 0 or more.
    pub weight_eps: f64,
    /// Threshold Update Schedule.
    pub update: UpdateStrategy,
    /// Seed of all random draws.
    pub seed: u64,
    /// Whether every prompt is probed with the same draws, as the published code does: what the
    /// draws bring in is then common to all prompts. Files that do not say so are of that kind.
    #[serde(default = "shared")]
    pub shared_draws: bool,
}

fn shared() -> bool {
    true
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
            shared_draws: false,
        }
    }

    /// As the published code does it: one candidate, perturbed both ways, from [0.995, 1], the same
    /// draws for every prompt.
    pub fn reference() -> Self {
        Self {
            candidates: 1,
            energy_drop: false,
            initial_low: 0.995,
            shared_draws: true,
            ..Self::paper()
        }
    }

    /// The paper's, perturbed both ways: its text asks for candidates of less energy, which the
    /// fitness that a candidate must beat asks for already.
    pub fn both_ways() -> Self {
        Self { energy_drop: false, ..Self::paper() }
    }

    /// Most inference steps.
    pub const MAX_STEPS: usize = 10_000;
    /// Most rounds, epochs or candidates.
    pub const MAX_COUNT: usize = 1_000_000;
    /// Most weight sets of one step (rounds × candidates), and most rows of thresholds that a
    /// probe's history holds (rounds × epochs × steps).
    pub const MAX_SETS: usize = 10_000_000;

    /// Candidate evaluations of one probe over `steps` steps and `batches` batches of samples.
    pub fn evaluations(&self, steps: usize, batches: usize) -> usize {
        let counts = [self.rounds, self.epochs, self.candidates, steps, batches];
        counts.into_iter().fold(1, usize::saturating_mul)
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming the one that is wrong.
    pub fn check(&self, steps: usize) -> Result<(), ProbeError> {
        self.at_steps(steps).map(|_| ())
    }

    /// Checks all settings, and gives tolerance and largest perturbation of each step.
    pub(crate) fn at_steps(&self, steps: usize) -> Result<StepLimits, ProbeError> {
        let fail = |text: String| Err(ProbeError::Config(text));
        for (name, value) in
            [("rounds", self.rounds), ("epochs", self.epochs), ("candidates", self.candidates)]
        {
            within(name, value, Self::MAX_COUNT)?;
        }
        within("rounds × candidates", self.rounds * self.candidates, Self::MAX_SETS)?;
        let (tolerance, bias) =
            (self.loss_tolerance.values(steps)?, self.weight_bias.values(steps)?);
        let history = self.rounds * self.epochs * steps;
        within("rounds × epochs × steps", history, Self::MAX_SETS)?;
        if !(0.0..=1.0).contains(&self.initial_low) {
            return fail(format!("`initial_low` must be from 0 to 1, found {}", self.initial_low));
        }
        if !(self.weight_eps.is_finite() && self.weight_eps >= 0.0) {
            return fail(format!("`weight_eps` must be 0 or more, found {}", self.weight_eps));
        }
        self.update.check()?;
        Ok(StepLimits { tolerance, bias })
    }
}

/// What a checked configuration allows at each step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepLimits {
    /// Largest accepted loss.
    pub(crate) tolerance: Vec<f64>,
    /// Largest perturbation of a weight.
    pub(crate) bias: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper() -> ProbeConfig {
        ProbeConfig::paper()
    }

    #[test]
    fn check_names_the_setting_its_bounds_and_what_was_found() {
        for (bad, expected) in [
            (ProbeConfig { rounds: 0, ..paper() }, "`rounds` must be from 1 to 1000000, found 0"),
            (ProbeConfig { rounds: usize::MAX, ..paper() }, "`rounds`"),
            (ProbeConfig { epochs: usize::MAX - 1, ..paper() }, "`epochs`"),
            (ProbeConfig { epochs: 1_000_000, ..paper() }, "`rounds × epochs × steps`"),
            (ProbeConfig { candidates: 0, ..paper() }, "`candidates`"),
            (ProbeConfig { candidates: 1_000_000, ..paper() }, "`rounds × candidates`"),
            (ProbeConfig { initial_low: 1.5, ..paper() }, "found 1.5"),
            (ProbeConfig { weight_eps: f64::NAN, ..paper() }, "`weight_eps`"),
            (
                ProbeConfig { loss_tolerance: PerStep::List(vec![0.1; 3]), ..paper() },
                "expected 2 values, one per step, found 3",
            ),
            (
                ProbeConfig { weight_bias: PerStep::Linear { start: -0.1, end: 0.1 }, ..paper() },
                "found -0.1",
            ),
        ] {
            let error = bad.check(2).unwrap_err();
            assert!(matches!(error, ProbeError::Config(_)), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        for steps in [0, 10_001, usize::MAX] {
            assert!(paper().check(steps).unwrap_err().to_string().contains("`steps`"));
        }
    }

    #[test]
    fn check_the_presets_and_a_thousand_rounds_pass() {
        assert!(paper().check(2).is_ok() && ProbeConfig::reference().check(50).is_ok());
        assert!(ProbeConfig { rounds: 1000, ..paper() }.check(50).is_ok());
        let endless = ProbeConfig { rounds: usize::MAX, ..paper() };
        assert_eq!(endless.evaluations(2, 1), usize::MAX);
        assert_eq!(paper().evaluations(2, 3), 15 * 20 * 4 * 2 * 3);
    }
}
