//! What a sampling run needs, and whether it can be had.

use burn::tensor::Tensor;
use scheduler::{SchedulerConfig, SchedulerKind, StepNoise};

use crate::{Conditioning, NoiseSource, PipelineError, SizeConditioning};

/// Classifier-free guidance.
#[derive(Debug, Clone)]
pub struct Guidance {
    /// Guidance scale; guidance is active above 1.
    pub scale: f64,
    /// The unguided side, one sample per sample of the prompts.
    pub negative: Conditioning,
}

/// What a sampling run needs.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// Encoded prompts, one per sample.
    pub prompts: Conditioning,
    /// Guidance, or none.
    pub guidance: Option<Guidance>,
    /// Initial Gaussian noise `[batch, channels, height, width]`, of unit variance.
    pub noise: Tensor<4>,
    /// Where fresh noise comes from, for schedulers that add some after each step.
    pub fresh_noise: Option<NoiseSource>,
    /// Scheduler class.
    pub scheduler: SchedulerKind,
    /// Its configuration, DDIM's η included; usually the pipeline's own.
    pub scheduler_config: SchedulerConfig,
    /// Number of inference steps, as diffusers counts them; PNDM calls the U-Net more often (see
    /// [`Self::calls`]).
    pub steps: usize,
    /// SDXL's sizes; those of the picture where absent.
    pub sizes: Option<SizeConditioning>,
}

impl SampleRequest {
    /// One request for the samples of all `requests`, which must agree in everything but prompts,
    /// seeds and noise; `None` where there are none.
    pub fn joined(requests: Vec<Self>) -> Option<Self> {
        let mut requests = requests.into_iter();
        let mut joined = requests.next()?;
        let mut noise = vec![joined.noise.clone()];
        for next in requests {
            noise.push(next.noise);
            joined.prompts = joined.prompts.followed_by(next.prompts);
            if let (Some(guidance), Some(next)) = (&mut joined.guidance, next.guidance) {
                guidance.negative = guidance.negative.clone().followed_by(next.negative);
            }
            if let (Some(source), Some(next)) = (&mut joined.fresh_noise, next.fresh_noise) {
                source.seeds.extend(next.seeds);
            }
        }
        joined.noise = Tensor::cat(noise, 0);
        Some(joined)
    }

    /// The same samples `count` times, one after the other: equal prompts, seeds and noise.
    pub fn repeated(&self, count: usize) -> Self {
        let mut repeated = self.clone();
        repeated.prompts = repeated.prompts.repeated(count);
        if let Some(guidance) = &mut repeated.guidance {
            guidance.negative = guidance.negative.clone().repeated(count);
        }
        if let Some(source) = &mut repeated.fresh_noise {
            source.seeds = source.seeds.repeat(count);
        }
        repeated.noise = repeated.noise.repeat_dim(0, count);
        repeated
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.noise.dims()[0]
    }

    /// How often a sample calls the U-Net: the steps of a weighting.
    ///
    /// # Errors
    /// [`PipelineError::Scheduler`] where the scheduler has no such number of steps.
    pub fn calls(&self) -> Result<usize, PipelineError> {
        Ok(self.scheduler_config.calls(self.scheduler, self.steps)?)
    }

    /// The guidance scale; 1 without guidance.
    pub fn guidance_scale(&self) -> f64 {
        self.guidance.as_ref().map_or(1.0, |guidance| guidance.scale)
    }

    /// Whether guidance has an effect.
    pub fn guided(&self) -> bool {
        self.guidance_scale() > 1.0
    }

    /// Everything the U-Net is conditioned on in every step: negative samples first if guided.
    pub fn unet_conditioning(&self) -> Conditioning {
        match &self.guidance {
            Some(guidance) if self.guided() => {
                guidance.negative.clone().followed_by(self.prompts.clone())
            }
            _ => self.prompts.clone(),
        }
    }

    /// The fresh noise of the steps from the call `first` on, drawn after the `draws` that were made
    /// before.
    pub(crate) fn step_noise(&self, first: usize, draws: usize) -> Box<StepNoise<'_>> {
        let [_, channels, height, width] = self.noise.dims();
        let device = self.noise.device();
        Box::new(move |step| match &self.fresh_noise {
            Some(source) => source.draw(step - first + draws, [channels, height, width], &device),
            None => self.noise.zeros_like(),
        })
    }

    /// Whether the request can be served.
    ///
    /// # Errors
    /// [`PipelineError::Request`] saying what does not fit.
    pub fn check(&self) -> Result<(), PipelineError> {
        let refuse = |reason: String| Err(PipelineError::Request(reason));
        let (samples, prompts) = (self.samples(), self.prompts.batch());
        let eta = self.scheduler_config.eta;
        let noisy = self.scheduler.adds_noise(eta);
        let sources = self.fresh_noise.as_ref().map_or(0, |source| source.seeds.len());
        if noisy && sources != samples {
            return refuse(format!(
                "{} adds fresh noise after each step: expected a seed for each of {samples} \
                 samples, found {sources}",
                self.scheduler.class_name(),
            ));
        }
        check_eta(eta)?;
        if samples != prompts {
            return refuse(format!(
                "expected one noise sample per prompt, found {samples} for {prompts} prompts"
            ));
        }
        match &self.guidance {
            Some(Guidance { negative, .. }) if negative.batch() != prompts => {
                refuse(format!("expected {prompts} negative samples, found {}", negative.batch()))
            }
            Some(Guidance { scale, .. }) => check_guidance(*scale),
            None => Ok(()),
        }
    }
}

/// Largest guidance scale that is served; far beyond what gives a picture.
pub const MAX_GUIDANCE: f64 = 10_000.0;

/// Whether there can be such a guidance scale.
pub(crate) fn check_guidance(scale: f64) -> Result<(), PipelineError> {
    match (0.0..=MAX_GUIDANCE).contains(&scale) {
        true => Ok(()),
        false => Err(PipelineError::Request(format!(
            "expected a guidance scale from 0 to {MAX_GUIDANCE}, found {scale}"
        ))),
    }
}

/// Whether there can be such an η of DDIM.
pub(crate) fn check_eta(eta: f64) -> Result<(), PipelineError> {
    match (0.0..=1.0).contains(&eta) {
        true => Ok(()),
        false => Err(PipelineError::Request(format!("expected an η from 0 to 1, found {eta}"))),
    }
}
