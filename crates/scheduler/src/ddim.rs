use burn::tensor::Tensor;

use crate::spacing::timesteps;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, TimestepSpacing,
};

/// Denoising diffusion implicit models with η = 0 (Song et al.; the paper's Eq. 1).
#[derive(Debug, Clone)]
pub struct Ddim {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// Distance to the previous timestep: a whole division, not the next listed timestep.
    stride: usize,
    final_alpha_cumprod: f32,
    clip: Option<f64>,
}

impl Ddim {
    /// DDIM with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let noise = NoiseSchedule::new(config);
        let timesteps = timesteps(config, TimestepSpacing::Leading, num_inference_steps, true)?;
        let first = noise.alphas_cumprod()[0];
        Ok(Self {
            prediction_type: config.prediction_type,
            timesteps,
            stride: config.num_train_timesteps / num_inference_steps,
            final_alpha_cumprod: if config.set_alpha_to_one { 1.0 } else { first },
            clip: config.clip_sample.unwrap_or(true).then_some(config.clip_sample_range),
            noise,
        })
    }

    fn alpha(&self, timestep: usize) -> f32 {
        let all = self.noise.alphas_cumprod();
        all[timestep.min(all.len() - 1)]
    }
}

impl Scheduler for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    fn scale_model_input(&self, sample: Tensor<4>, _index: usize) -> Tensor<4> {
        sample
    }

    fn step(&mut self, model_output: Tensor<4>, index: usize, sample: Tensor<4>) -> Tensor<4> {
        let timestep = self.timesteps[index] as usize;
        let previous = match timestep.checked_sub(self.stride) {
            Some(previous) => self.alpha(previous),
            None => self.final_alpha_cumprod,
        };
        let alpha = self.alpha(timestep);
        let (signal, sigma) = (f64::from(alpha.sqrt()), f64::from((1.0 - alpha).sqrt()));
        let (original, epsilon) = match self.prediction_type {
            PredictionType::Epsilon => {
                ((sample - model_output.clone() * sigma) / signal, model_output)
            }
            PredictionType::VPrediction => (
                sample.clone() * signal - model_output.clone() * sigma,
                model_output * signal + sample * sigma,
            ),
            PredictionType::Sample => {
                (model_output.clone(), (sample - model_output * signal) / sigma)
            }
        };
        let original = match self.clip {
            Some(range) => original.clamp(-range, range),
            None => original,
        };
        let direction = epsilon * f64::from((1.0 - previous).sqrt());
        original * f64::from(previous.sqrt()) + direction
    }
}
