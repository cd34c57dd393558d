use burn::tensor::{DType, Tensor};
use scheduler::{SchedulerConfig, SchedulerKind, StepNoise};
use unet_core::Intervention;

use crate::{Conditioning, NoiseSource, Pipeline, PipelineError, SizeConditioning};

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
    /// Number of U-Net calls of a sample (PNDM is asked for one inference step less).
    pub steps: usize,
    /// SDXL's sizes; those of the picture where absent.
    pub sizes: Option<SizeConditioning>,
}

/// One step of a sampling run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// Inference step, from 0.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Training timestep.
    pub timestep: f64,
}

/// Gives the intervention of each step, or none.
///
/// With guidance the U-Net sees the batch twice, negative samples first.
pub type StepIntervention<'a> = dyn Fn(StepInfo) -> Option<Box<dyn Intervention + 'a>> + 'a;

/// Whether a callback lets the run go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop; the latents so far are returned.
    Stop,
}

/// The U-Net's predictions for a batch.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// As the U-Net gave it: with guidance, negative samples first, then the prompts'.
    pub raw: Tensor<4>,
    /// After guidance, one per sample; what the scheduler is given.
    pub guided: Tensor<4>,
}

impl SampleRequest {
    /// One request for the samples of all, which must agree in everything but prompts, seeds and
    /// noise; `None` where there are none.
    pub fn joined(requests: Vec<Self>) -> Option<Self> {
        let mut requests = requests.into_iter();
        let mut all = requests.next()?;
        let mut noise = vec![all.noise.clone()];
        for next in requests {
            noise.push(next.noise);
            all.prompts = all.prompts.followed_by(next.prompts);
            if let (Some(own), Some(next)) = (&mut all.guidance, next.guidance) {
                own.negative = own.negative.clone().followed_by(next.negative);
            }
            if let (Some(own), Some(next)) = (&mut all.fresh_noise, next.fresh_noise) {
                own.seeds.extend(next.seeds);
            }
        }
        all.noise = Tensor::cat(noise, 0);
        Some(all)
    }

    /// Whether guidance has an effect.
    pub fn guided(&self) -> bool {
        self.guidance.as_ref().is_some_and(|guidance| guidance.scale > 1.0)
    }

    /// The fresh noise of a step, drawn after the initial noise.
    pub fn step_noise(&self) -> Box<StepNoise<'_>> {
        let [_, channels, height, width] = self.noise.dims();
        let device = self.noise.device();
        Box::new(move |step| match &self.fresh_noise {
            Some(source) => source.draw(step + 1, [channels, height, width], &device),
            None => self.noise.zeros_like(),
        })
    }

    /// Whether the request can be served under a scheduler configuration.
    ///
    /// # Errors
    /// [`PipelineError::Request`] saying what does not fit.
    pub fn check(&self, config: &SchedulerConfig) -> Result<(), PipelineError> {
        let noisy = match self.scheduler {
            SchedulerKind::EulerAncestral => true,
            SchedulerKind::Ddim => config.eta > 0.0,
            _ => false,
        };
        let sources = self.fresh_noise.as_ref().map_or(0, |source| source.seeds.len());
        if noisy && sources != self.noise.dims()[0] {
            return Err(PipelineError::Request(format!(
                "{} adds fresh noise after each step: expected a seed for each of {} samples, \
                 found {sources}",
                self.scheduler.class_name(),
                self.noise.dims()[0]
            )));
        }
        if !(0.0..=1.0).contains(&config.eta) {
            return Err(PipelineError::Request(format!(
                "expected an η from 0 to 1, found {}",
                config.eta
            )));
        }
        let (samples, prompts) = (self.noise.dims()[0], self.prompts.batch());
        if samples != prompts {
            return Err(PipelineError::Request(format!(
                "expected one noise sample per prompt, found {samples} for {prompts} prompts"
            )));
        }
        match &self.guidance {
            Some(guidance) if !guidance.scale.is_finite() || guidance.scale < 0.0 => {
                Err(PipelineError::Request(format!(
                    "expected a guidance scale of 0 or more, found {}",
                    guidance.scale
                )))
            }
            Some(guidance) if guidance.negative.batch() != prompts => Err(PipelineError::Request(
                format!("expected {prompts} negative samples, found {}", guidance.negative.batch()),
            )),
            _ => Ok(()),
        }
    }
}

impl Pipeline {
    /// Everything the U-Net is conditioned on in every step: negative samples first if guided.
    pub fn unet_conditioning(&self, request: &SampleRequest) -> Conditioning {
        match &request.guidance {
            Some(guidance) if request.guided() => {
                guidance.negative.clone().followed_by(request.prompts.clone())
            }
            _ => request.prompts.clone(),
        }
    }

    /// The U-Net's prediction for the (already scaled) `input`.
    ///
    /// `conditioning` holds either as many samples as `input`, or twice as many, for guidance with
    /// `scale`.
    pub fn predict(
        &self,
        input: Tensor<4>,
        timestep: f64,
        conditioning: &Conditioning,
        scale: f64,
        sizes: Option<&SizeConditioning>,
        intervention: Option<&dyn Intervention>,
    ) -> Prediction {
        let [batch, _, height, width] = input.dims();
        let factor = self.vae().config().downscale();
        let own = SizeConditioning::of_picture([height * factor, width * factor]);
        let added = conditioning.added(sizes.unwrap_or(&own));
        let doubled = conditioning.batch() == 2 * batch;
        let input = if doubled { input.repeat_dim(0, 2) } else { input };
        let embeds = conditioning.embeds.clone();
        let raw = self
            .unet()
            .forward(input, &[timestep], embeds, added.as_ref(), intervention)
            .cast(DType::F32);
        let guided = if doubled {
            let negative = raw.clone().narrow(0, 0, batch);
            let positive = raw.clone().narrow(0, batch, batch);
            negative.clone() + (positive - negative) * scale
        } else {
            raw.clone()
        };
        Prediction { raw, guided }
    }

    /// Denoises the noise of `request` to latents, `[batch, channels, height, width]` in f32.
    ///
    /// `callback` sees the latents after each step and may stop the run.
    ///
    /// # Errors
    /// [`PipelineError`] for a request that cannot be served, or latents that are not finite.
    pub fn sample(
        &self,
        request: &SampleRequest,
        intervention: Option<&StepIntervention<'_>>,
        callback: &mut dyn FnMut(StepInfo, &Tensor<4>) -> Control,
    ) -> Result<Tensor<4>, PipelineError> {
        self.sample_with(self.scheduler_config(), request, intervention, callback)
    }

    /// As [`Self::sample`], with another scheduler configuration than the folder's.
    ///
    /// # Errors
    /// As [`Self::sample`].
    pub fn sample_with(
        &self,
        config: &SchedulerConfig,
        request: &SampleRequest,
        intervention: Option<&StepIntervention<'_>>,
        callback: &mut dyn FnMut(StepInfo, &Tensor<4>) -> Control,
    ) -> Result<Tensor<4>, PipelineError> {
        request.check(config)?;
        let mut scheduler = config.build_for_calls(request.scheduler, request.steps)?;
        let mut fresh = request.step_noise();
        let conditioning = self.unet_conditioning(request);
        let scale = request.guidance.as_ref().map_or(1.0, |guidance| guidance.scale);
        let mut latents = request.noise.clone().cast(DType::F32) * scheduler.init_noise_sigma();
        for step in 0..request.steps {
            let timestep = scheduler.timesteps()[step];
            let info = StepInfo { step, steps: request.steps, timestep };
            let active = intervention.and_then(|intervention| intervention(info));
            let input = scheduler.scale_model_input(latents.clone(), step);
            let prediction = self.predict(
                input,
                timestep,
                &conditioning,
                scale,
                request.sizes.as_ref(),
                active.as_deref(),
            );
            latents = scheduler.step(prediction.guided, step, latents, &mut *fresh);
            if !latents.clone().sum().into_scalar::<f32>().is_finite() {
                return Err(PipelineError::NotFinite { step });
            }
            if callback(info, &latents) == Control::Stop {
                break;
            }
        }
        Ok(latents)
    }
}
