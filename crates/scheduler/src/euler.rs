//! Euler, plain and ancestral.

use burn::tensor::Tensor;

use crate::sigmas::{ends_at_zero, initial_sigma, interpolate, original, spaced, unit_variance};
use crate::spacing::timesteps;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// Euler steps of the probability-flow equation (Karras et al., Algorithm 2 without churn), or
/// steps that overshoot and add fresh noise (k-diffusion's `sample_euler_ancestral`).
#[derive(Debug, Clone)]
pub struct Euler {
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// σ of each step, and 0 after the last.
    sigmas: Vec<f32>,
    init_noise_sigma: f64,
    ancestral: bool,
}

impl Euler {
    /// Euler with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Offset`] for a `steps_offset` that leaves them.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        Self::build(config, SchedulerKind::Euler, num_inference_steps)
    }

    /// Ancestral Euler with `num_inference_steps` steps.
    ///
    /// # Errors
    /// As [`Self::new`]; [`SchedulerError::Unimplemented`] for predictions of clean samples, which diffusers refuses
    /// as well.
    pub fn ancestral(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let kind = SchedulerKind::EulerAncestral;
        config.refuse_sample_prediction(kind)?;
        Self::build(config, kind, num_inference_steps)
    }

    fn build(
        config: &SchedulerConfig,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let training = NoiseSchedule::new(config).sigmas();
        let spacing = TimestepSpacing::Linspace;
        let ancestral = kind == SchedulerKind::EulerAncestral;
        let mut timesteps = timesteps(config, kind, spacing, num_inference_steps, false)?;
        let mut sigmas: Vec<f64> = timesteps.iter().map(|t| interpolate(&training, *t)).collect();
        let ends = [sigmas[0], sigmas[sigmas.len() - 1]];
        // diffusers' ancestral class has no other ladder of σ.
        let other = (!ancestral).then(|| spaced(config, &training, ends, num_inference_steps));
        if let Some(spaced) = other.flatten() {
            (sigmas, timesteps) = spaced;
        }
        let sigmas = ends_at_zero(&sigmas);
        let init_noise_sigma = initial_sigma(config, &sigmas);
        let prediction_type = config.prediction_type;
        Ok(Self { prediction_type, timesteps, sigmas, init_noise_sigma, ancestral })
    }

    /// σ at a step and at the next.
    fn pair(&self, index: usize) -> (f64, f64) {
        (f64::from(self.sigmas[index]), f64::from(self.sigmas[index + 1]))
    }

    /// The straight line from `sample` at `index` to the noise level `target`.
    fn towards(
        &self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        target: f64,
    ) -> Tensor<4> {
        let (sigma, _) = self.pair(index);
        let original = original(self.prediction_type, model_output, sample.clone(), sigma);
        let derivative = (sample.clone() - original) / sigma;
        sample + derivative * (target - sigma)
    }
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn sigmas(&self) -> Option<&[f32]> {
        Some(&self.sigmas)
    }

    fn init_noise_sigma(&self) -> f64 {
        self.init_noise_sigma
    }

    fn scale_model_input(&self, sample: Tensor<4>, index: usize) -> Tensor<4> {
        let (sigma, _) = self.pair(index);
        unit_variance(sample, sigma)
    }

    fn noised(&self, clean: Tensor<4>, noise: Tensor<4>, index: usize) -> Option<Tensor<4>> {
        Some(clean + noise * f64::from(self.sigmas[index]))
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        let (from, to) = self.pair(index);
        if !self.ancestral {
            return self.towards(model_output, index, sample, to);
        }
        let up = (to * to * (from * from - to * to) / (from * from)).max(0.0).sqrt();
        let down = (to * to - up * up).max(0.0).sqrt();
        let moved = self.towards(model_output, index, sample, down);
        // diffusers draws after the last step too, and multiplies by zero.
        let fresh = noise(index);
        if up > 0.0 { moved + fresh * up } else { moved }
    }
}
