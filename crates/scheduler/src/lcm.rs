//! LCM.

use burn::tensor::Tensor;

use crate::level::Level;
use crate::spacing::check_steps;
use crate::threshold::Clamp;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise,
};

/// Multistep sampling of latent consistency models (Luo et al., Algorithm 3): the clean sample is
/// predicted, and noised afresh for the next step.
///
/// For U-Nets that were distilled so.
#[derive(Debug, Clone)]
pub struct Lcm {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    clamp: Clamp,
    timestep_scaling: f64,
}

impl Lcm {
    /// LCM with `num_inference_steps` steps, evenly among the `original_inference_steps` of the
    /// distillation.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than `original_inference_steps`.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let original = config.original_inference_steps;
        check_steps(SchedulerKind::Lcm, num_inference_steps, 1, original)?;
        let stride = config.num_train_timesteps / original;
        // As NumPy's `linspace` without its end, rounded down.
        let width = original as f64 / num_inference_steps as f64;
        let skipped = |i: usize| (i as f64 * width).floor() as usize;
        let at = |i: usize| ((original - skipped(i)) * stride - 1) as f64;
        Ok(Self {
            noise: NoiseSchedule::new(config),
            prediction_type: config.prediction_type,
            timesteps: (0..num_inference_steps).map(at).collect(),
            clamp: Clamp::new(config, false),
            timestep_scaling: config.timestep_scaling,
        })
    }

    /// Shares of the sample itself and of the predicted clean one, which keep the function the
    /// identity at timestep 0 (Song et al., Consistency Models, Appendix C).
    fn boundary(&self, timestep: f64) -> (f64, f64) {
        const SIGMA_DATA: f64 = 0.5;
        let scaled = timestep * self.timestep_scaling;
        let square = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        (SIGMA_DATA * SIGMA_DATA / square, scaled / square.sqrt())
    }
}

impl Scheduler for Lcm {
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
        let timestep = self.timesteps[index];
        let level = Level::new(self.noise.alpha_cumprod(timestep as usize));
        let original = level.original(self.prediction_type, model_output, sample.clone());
        let (skip, out) = self.boundary(timestep);
        let denoised = self.clamp.apply(original) * out + sample * skip;
        match self.timesteps.get(index + 1) {
            Some(next) => self.noise.add_noise(denoised, noise(index), *next as usize),
            None => denoised,
        }
    }
}
