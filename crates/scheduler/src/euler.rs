use burn::tensor::Tensor;

use crate::spacing::timesteps;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, TimestepSpacing,
};

/// Euler steps of the probability-flow equation (Karras et al., Algorithm 2 without churn).
#[derive(Debug, Clone)]
pub struct Euler {
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// σ of each step, and 0 after the last.
    sigmas: Vec<f32>,
    init_noise_sigma: f64,
}

impl Euler {
    /// Euler with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let noise = NoiseSchedule::new(config);
        let all: Vec<f64> = noise
            .alphas_cumprod()
            .iter()
            .map(|alpha| f64::from(((1.0 - alpha) / alpha).sqrt()))
            .collect();
        let spacing = TimestepSpacing::Linspace;
        let mut timesteps = timesteps(config, spacing, num_inference_steps, false)?;
        let mut sigmas: Vec<f64> = timesteps.iter().map(|t| interpolate(&all, *t)).collect();
        if config.use_karras_sigmas {
            let least = config.sigma_min.unwrap_or(sigmas[sigmas.len() - 1]);
            let largest = config.sigma_max.unwrap_or(sigmas[0]);
            sigmas = karras(least, largest, num_inference_steps);
            let logs: Vec<f64> = all.iter().map(|sigma| sigma.ln()).collect();
            timesteps = sigmas.iter().map(|sigma| sigma_to_timestep(&logs, *sigma)).collect();
        }
        let mut sigmas: Vec<f32> = sigmas.into_iter().map(|sigma| sigma as f32).collect();
        let largest = f64::from(sigmas.iter().copied().fold(0.0, f32::max));
        let init_noise_sigma = match config.timestep_spacing.unwrap_or(spacing) {
            TimestepSpacing::Linspace | TimestepSpacing::Trailing => largest,
            TimestepSpacing::Leading => (largest * largest + 1.0).sqrt(),
        };
        sigmas.push(0.0);
        Ok(Self { prediction_type: config.prediction_type, timesteps, sigmas, init_noise_sigma })
    }

    /// σ of each step, and 0 after the last.
    pub fn sigmas(&self) -> &[f32] {
        &self.sigmas
    }
}

/// Linear interpolation of a table at a fractional position.
fn interpolate(table: &[f64], at: f64) -> f64 {
    let low = (at.max(0.0) as usize).min(table.len() - 1);
    let high = (low + 1).min(table.len() - 1);
    table[low] + (table[high] - table[low]) * (at - low as f64).clamp(0.0, 1.0)
}

fn karras(least: f64, largest: f64, n: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (low, high) = (least.powf(1.0 / RHO), largest.powf(1.0 / RHO));
    let ramp = |i: usize| if n > 1 { i as f64 / (n - 1) as f64 } else { 0.0 };
    (0..n).map(|i| (high + ramp(i) * (low - high)).powf(RHO)).collect()
}

/// The fractional training timestep whose log σ is that of `sigma`.
fn sigma_to_timestep(logs: &[f64], sigma: f64) -> f64 {
    let log = sigma.max(1e-10).ln();
    let above = logs.iter().filter(|other| **other <= log).count();
    let low = above.saturating_sub(1).min(logs.len().saturating_sub(2));
    let weight = ((logs[low] - log) / (logs[low] - logs[low + 1])).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * (low + 1) as f64
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.init_noise_sigma
    }

    fn scale_model_input(&self, sample: Tensor<4>, index: usize) -> Tensor<4> {
        let sigma = f64::from(self.sigmas[index]);
        sample / (sigma * sigma + 1.0).sqrt()
    }

    fn step(&mut self, model_output: Tensor<4>, index: usize, sample: Tensor<4>) -> Tensor<4> {
        let (sigma, next) = (f64::from(self.sigmas[index]), f64::from(self.sigmas[index + 1]));
        let original = match self.prediction_type {
            PredictionType::Epsilon => sample.clone() - model_output * sigma,
            PredictionType::VPrediction => {
                let square = sigma * sigma + 1.0;
                model_output * (-sigma / square.sqrt()) + sample.clone() / square
            }
            PredictionType::Sample => model_output,
        };
        let derivative = (sample.clone() - original) / sigma;
        sample + derivative * (next - sigma)
    }
}
