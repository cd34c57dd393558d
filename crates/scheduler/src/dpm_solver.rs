//! DPM-Solver++.

use burn::tensor::Tensor;

use crate::level::Level;
use crate::sigmas::{ends_at_zero, interpolate, spaced};
use crate::spacing::timesteps_between;
use crate::threshold::Clamp;
use crate::{
    BetaSchedule, NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError,
    SchedulerKind, SigmaSpacing, SolverType, StepNoise,
};

/// DPM-Solver++ (Lu et al., Algorithm 2), multistep, of order 1 or 2; of the ordinary equation, or of
/// the stochastic one (Sec. 5), which adds fresh noise.
#[derive(Debug, Clone)]
pub struct DpmSolverMultistep {
    prediction_type: PredictionType,
    stochastic: bool,
    second_order: bool,
    solver_type: SolverType,
    clamp: Clamp,
    timesteps: Vec<f64>,
    /// σ of each step, and 0 after the last.
    sigmas: Vec<f32>,
    /// The clean sample predicted in the step before.
    previous: Option<Tensor<4>>,
}

impl DpmSolverMultistep {
    /// DPM-Solver++ with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Offset`] for a `steps_offset` that leaves them;
    /// [`SchedulerError::Unimplemented`] for an order other than 1 and 2.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        Self::build(config, SchedulerKind::DpmSolverMultistep, num_inference_steps)
    }

    /// The solver of the stochastic equation, with `num_inference_steps` steps.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn stochastic(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        Self::build(config, SchedulerKind::DpmSolverMultistepSde, num_inference_steps)
    }

    fn build(
        config: &SchedulerConfig,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        if !matches!(config.solver_order, 1 | 2) {
            return Err(SchedulerError::Unimplemented {
                class: kind.class_name(),
                key: "solver_order",
                found: config.solver_order.to_string(),
            });
        }
        let training = NoiseSchedule::new(config).sigmas();
        let mut timesteps = timesteps_between(config, kind, num_inference_steps)?;
        let ends = [training[training.len() - 1], training[0]];
        let sigmas = match spaced(config, &training, ends, num_inference_steps) {
            None => timesteps.iter().map(|t| interpolate(&training, *t)).collect(),
            Some((sigmas, at)) => {
                // diffusers rounds some of them, and cuts the fraction off the others.
                let rounds = config.sigma_spacing == SigmaSpacing::Karras
                    && config.beta_schedule != BetaSchedule::SquaredcosCapV2;
                let whole = |t: &f64| if rounds { t.round_ties_even() } else { t.trunc() };
                timesteps = at.iter().map(whole).collect();
                sigmas
            }
        };
        Ok(Self {
            prediction_type: config.prediction_type,
            stochastic: kind == SchedulerKind::DpmSolverMultistepSde,
            second_order: config.solver_order == 2,
            solver_type: config.solver_type,
            clamp: Clamp::dynamic(config),
            timesteps,
            sigmas: ends_at_zero(&sigmas),
            previous: None,
        })
    }

    /// α, σ and λ = ln(α/σ) of a sample of unit variance, at a step.
    fn level(&self, index: usize) -> (f64, f64, f64) {
        let sigma = f64::from(self.sigmas[index]);
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        (alpha, sigma * alpha, -sigma.ln())
    }

    fn original(&self, output: Tensor<4>, index: usize, sample: Tensor<4>) -> Tensor<4> {
        let (signal, sigma, _) = self.level(index);
        let original = Level { signal, sigma }.original(self.prediction_type, output, sample);
        self.clamp.apply(original)
    }

    /// Whether the step at `index` may look back.
    fn looks_back(&self, index: usize) -> bool {
        // The last σ is 0, where only the first-order formula has a value.
        let last = index + 1 == self.timesteps.len();
        self.second_order && !last
    }
}

impl Scheduler for DpmSolverMultistep {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn sigmas(&self) -> Option<&[f32]> {
        Some(&self.sigmas)
    }

    fn noised(&self, clean: Tensor<4>, noise: Tensor<4>, index: usize) -> Option<Tensor<4>> {
        let (alpha, sigma, _) = self.level(index);
        Some(clean * alpha + noise * sigma)
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        if index == 0 {
            self.previous = None;
        }
        let original = self.original(model_output, index, sample.clone());
        let (_, sigma, lambda) = self.level(index);
        let (next_alpha, next_sigma, next_lambda) = self.level(index + 1);
        // The stochastic equation goes twice as far towards the clean sample, and half of it back
        // with fresh noise.
        let (width, speed) = (next_lambda - lambda, if self.stochastic { 2.0 } else { 1.0 });
        let step = speed * width;
        let decay = (-step).exp_m1();
        let kept = if self.stochastic { (-width).exp() } else { 1.0 };
        let mut next =
            sample * (next_sigma / sigma * kept) - original.clone() * (next_alpha * decay);
        if let (Some(previous), true) = (&self.previous, self.looks_back(index)) {
            let (_, _, before) = self.level(index - 1);
            let ratio = (lambda - before) / width;
            let slope = (original.clone() - previous.clone()) / ratio;
            next = match self.solver_type {
                SolverType::Midpoint => next - slope * (0.5 * next_alpha * decay),
                SolverType::Heun => next + slope * (next_alpha * (decay / step + 1.0)),
            };
        }
        self.previous = Some(original);
        let spread = if self.stochastic { next_sigma * (-decay).sqrt() } else { 0.0 };
        if spread > 0.0 { next + noise(index) * spread } else { next }
    }
}
