//! DPM-Solver++.

use burn::tensor::Tensor;

use crate::sigmas::{interpolate, karras, sigma_to_timestep};
use crate::spacing::timesteps_between;
use crate::threshold::Clamp;
use crate::{
    BetaSchedule, NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError,
    SchedulerKind, SolverType, StepNoise,
};

/// DPM-Solver++ (Lu et al., Algorithm 2), multistep, of order 1 or 2.
#[derive(Debug, Clone)]
pub struct DpmSolverMultistep {
    prediction_type: PredictionType,
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
        if !matches!(config.solver_order, 1 | 2) {
            return Err(SchedulerError::Unimplemented {
                class: SchedulerKind::DpmSolverMultistep.class_name(),
                key: "solver_order",
                found: config.solver_order.to_string(),
            });
        }
        let training = NoiseSchedule::new(config).sigmas();
        let mut timesteps = timesteps_between(config, num_inference_steps)?;
        let sigmas: Vec<f64> = if config.use_karras_sigmas {
            let sigmas = karras(training[0], training[training.len() - 1], num_inference_steps);
            let logs: Vec<f64> = training.iter().map(|sigma| sigma.ln()).collect();
            timesteps = sigmas.iter().map(|sigma| sigma_to_timestep(&logs, *sigma)).collect();
            if config.beta_schedule != BetaSchedule::SquaredcosCapV2 {
                timesteps.iter_mut().for_each(|t| *t = t.round_ties_even());
            }
            sigmas
        } else {
            timesteps.iter().map(|t| interpolate(&training, *t)).collect()
        };
        let mut sigmas: Vec<f32> = sigmas.into_iter().map(|sigma| sigma as f32).collect();
        sigmas.push(0.0);
        Ok(Self {
            prediction_type: config.prediction_type,
            second_order: config.solver_order == 2,
            solver_type: config.solver_type,
            clamp: Clamp::dynamic(config),
            timesteps,
            sigmas,
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
        let (alpha, sigma, _) = self.level(index);
        let original = match self.prediction_type {
            PredictionType::Epsilon => (sample - output * sigma) / alpha,
            PredictionType::VPrediction => sample * alpha - output * sigma,
            PredictionType::Sample => output,
        };
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

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        _noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        if index == 0 {
            self.previous = None;
        }
        let original = self.original(model_output, index, sample.clone());
        let (_, sigma, lambda) = self.level(index);
        let (next_alpha, next_sigma, next_lambda) = self.level(index + 1);
        let step = next_lambda - lambda;
        let decay = (-step).exp_m1();
        let mut next = sample * (next_sigma / sigma) - original.clone() * (next_alpha * decay);
        if let (Some(previous), true) = (&self.previous, self.looks_back(index)) {
            let (_, _, before) = self.level(index - 1);
            let ratio = (lambda - before) / step;
            let slope = (original.clone() - previous.clone()) / ratio;
            next = match self.solver_type {
                SolverType::Midpoint => next - slope * (0.5 * next_alpha * decay),
                SolverType::Heun => next + slope * (next_alpha * (decay / step + 1.0)),
            };
        }
        self.previous = Some(original);
        next
    }
}
