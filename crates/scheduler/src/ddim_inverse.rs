//! DDIM backwards.

use burn::tensor::Tensor;

use crate::level::Level;
use crate::spacing::timesteps;
use crate::threshold::Clamp;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// DDIM inversion (Dhariwal and Nichol, Appendix F): from clean latents to the noise that DDIM makes
/// them of, as far as a prediction is the same at both ends of a step.
///
/// Each call takes the latents from the noise level before its timestep to that of its timestep, so
/// timesteps rise.
#[derive(Debug, Clone)]
pub struct DdimInverse {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// Distance to the timestep before.
    stride: usize,
    initial_alpha_cumprod: f32,
    clamp: Clamp,
}

impl DdimInverse {
    /// The inverse of DDIM with as many steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Offset`] for a `steps_offset` that leaves them;
    /// [`SchedulerError::Unimplemented`] for the linspace spacing, which diffusers refuses as well,
    /// and for predictions of clean samples, which say nothing of clean latents.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let (kind, spacing) = (SchedulerKind::DdimInverse, TimestepSpacing::Leading);
        config.refuse_sample_prediction(kind)?;
        if config.timestep_spacing == Some(TimestepSpacing::Linspace) {
            return Err(SchedulerError::Unimplemented {
                class: kind.class_name(),
                key: "timestep_spacing",
                found: "\"linspace\"".into(),
            });
        }
        let mut timesteps = timesteps(config, kind, spacing, num_inference_steps, true)?;
        timesteps.reverse();
        let noise = NoiseSchedule::new(config);
        let first = noise.alpha_cumprod(0);
        Ok(Self {
            prediction_type: config.prediction_type,
            timesteps,
            stride: config.num_train_timesteps / num_inference_steps,
            initial_alpha_cumprod: if config.set_alpha_to_one == Some(false) { first } else { 1.0 },
            clamp: Clamp::fixed(config, true),
            noise,
        })
    }
}

impl Scheduler for DdimInverse {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        _noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        let timestep = self.timesteps[index] as usize;
        let alpha = match timestep.checked_sub(self.stride) {
            Some(before) => self.noise.alpha_cumprod(before),
            None => self.initial_alpha_cumprod,
        };
        let level = Level::new(alpha);
        let original = level.original(self.prediction_type, model_output.clone(), sample.clone());
        let epsilon = level.epsilon(self.prediction_type, model_output, sample);
        self.noise.add_noise(self.clamp.apply(original), epsilon, timestep)
    }
}
