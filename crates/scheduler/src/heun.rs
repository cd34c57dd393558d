//! Heun.

use burn::tensor::Tensor;

use crate::sigmas::{ends_at_zero, initial_sigma, interpolate, original, spaced, unit_variance};
use crate::spacing::timesteps;
use crate::threshold::Clamp;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// Heun steps of the probability-flow equation (Karras et al., Algorithm 1): an Euler step, then the
/// same step once more with the mean of the slopes at its two ends.
///
/// Every step but the last, which ends at σ = 0, calls the U-Net twice.
#[derive(Debug, Clone)]
pub struct Heun {
    prediction_type: PredictionType,
    clamp: Clamp,
    timesteps: Vec<f64>,
    /// σ of each call, and 0 after the last.
    sigmas: Vec<f32>,
    init_noise_sigma: f64,
    /// Slope and sample at the beginning of the step that is half done.
    half: Option<[Tensor<4>; 2]>,
}

impl Heun {
    /// Heun with `num_inference_steps` steps as diffusers counts them: `2 n − 1` U-Net calls.
    ///
    /// As in diffusers, `rescale_betas_zero_snr` has no effect.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Offset`] for a `steps_offset` that leaves them.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let unscaled = SchedulerConfig { rescale_betas_zero_snr: false, ..config.clone() };
        let training = NoiseSchedule::new(&unscaled).sigmas();
        let (kind, spacing) = (SchedulerKind::Heun, TimestepSpacing::Linspace);
        let mut steps = timesteps(config, kind, spacing, num_inference_steps, false)?;
        let mut sigmas: Vec<f64> = steps.iter().map(|t| interpolate(&training, *t)).collect();
        let ends = [sigmas[0], sigmas[sigmas.len() - 1]];
        if let Some(spaced) = spaced(config, &training, ends, num_inference_steps) {
            (sigmas, steps) = spaced;
        }
        let twice = |values: &[f64]| -> Vec<f64> {
            let (first, rest) = values.split_at(1);
            first.iter().copied().chain(rest.iter().flat_map(|value| [*value; 2])).collect()
        };
        let sigmas = ends_at_zero(&twice(&sigmas));
        Ok(Self {
            prediction_type: config.prediction_type,
            clamp: Clamp::fixed(config, false),
            timesteps: twice(&steps),
            init_noise_sigma: initial_sigma(config, &sigmas),
            sigmas,
            half: None,
        })
    }

    /// The slope dx/dσ at a call.
    fn slope(&self, output: Tensor<4>, index: usize, sample: Tensor<4>) -> Tensor<4> {
        let sigma = f64::from(self.sigmas[index]);
        let original = original(self.prediction_type, output, sample.clone(), sigma);
        (sample - self.clamp.apply(original)) / sigma
    }
}

impl Scheduler for Heun {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn sigmas(&self) -> Option<&[f32]> {
        Some(&self.sigmas)
    }

    fn init_noise_sigma(&self) -> f64 {
        self.init_noise_sigma
    }

    fn calls_per_step(&self) -> usize {
        2
    }

    fn scale_model_input(&self, sample: Tensor<4>, index: usize) -> Tensor<4> {
        unit_variance(sample, f64::from(self.sigmas[index]))
    }

    fn noised(&self, clean: Tensor<4>, noise: Tensor<4>, index: usize) -> Option<Tensor<4>> {
        Some(clean + noise * f64::from(self.sigmas[index]))
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        _noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        let slope = self.slope(model_output, index, sample.clone());
        let sigma = |at: usize| f64::from(self.sigmas[at]);
        match self.half.take().filter(|_| !index.is_multiple_of(2)) {
            Some([first, start]) => {
                start + (first + slope) * (0.5 * (sigma(index) - sigma(index - 1)))
            }
            None => {
                let width = sigma(index + 1) - sigma(index);
                self.half = Some([slope.clone(), sample.clone()]);
                sample + slope * width
            }
        }
    }
}
