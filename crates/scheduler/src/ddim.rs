//! DDIM.

use burn::tensor::Tensor;

use crate::level::Level;
use crate::spacing::timesteps;
use crate::threshold::Clamp;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// Denoising diffusion implicit models (Song et al.; the paper's Eq. 1 for η = 0).
#[derive(Debug, Clone)]
pub struct Ddim {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// Distance to the previous timestep: a whole division, not the next listed timestep.
    stride: usize,
    final_alpha_cumprod: f32,
    clamp: Clamp,
    eta: f64,
}

impl Ddim {
    /// DDIM with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Offset`] for a `steps_offset` that leaves them.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let noise = NoiseSchedule::new(config);
        let (kind, spacing) = (SchedulerKind::Ddim, TimestepSpacing::Leading);
        let timesteps = timesteps(config, kind, spacing, num_inference_steps, true)?;
        let first = noise.alpha_cumprod(0);
        Ok(Self {
            prediction_type: config.prediction_type,
            timesteps,
            stride: config.num_train_timesteps / num_inference_steps,
            final_alpha_cumprod: if config.set_alpha_to_one == Some(false) { first } else { 1.0 },
            clamp: Clamp::new(config, true),
            eta: config.eta,
            noise,
        })
    }
}

impl Scheduler for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn noised(&self, clean: Tensor<4>, noise: Tensor<4>, index: usize) -> Option<Tensor<4>> {
        Some(self.noise.add_noise(clean, noise, self.timesteps[index] as usize))
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        let timestep = self.timesteps[index] as usize;
        let previous = match timestep.checked_sub(self.stride) {
            Some(previous) => self.noise.alpha_cumprod(previous),
            None => self.final_alpha_cumprod,
        };
        let alpha = self.noise.alpha_cumprod(timestep);
        let level = Level::new(alpha);
        let original = level.original(self.prediction_type, model_output.clone(), sample.clone());
        let epsilon = level.epsilon(self.prediction_type, model_output, sample);
        let original = self.clamp.apply(original);
        let previous = f64::from(previous);
        let now = f64::from(alpha);
        // The paper's σ_t: 0 for η = 0.
        let spread = match self.eta {
            0.0 => 0.0,
            eta => eta * ((1.0 - previous) / (1.0 - now) * (1.0 - now / previous)).max(0.0).sqrt(),
        };
        let direction = epsilon * (1.0 - previous - spread * spread).max(0.0).sqrt();
        let moved = original * previous.sqrt() + direction;
        if spread > 0.0 { moved + noise(index) * spread } else { moved }
    }
}
