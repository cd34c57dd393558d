//! From what a person asks for to a request that can be sampled: settings, resolved once for a
//! model, then encoded and drawn.

use std::ops::Range;
use std::path::PathBuf;

use reweight::NoiseLevel;
use scheduler::{NoiseSchedule, SchedulerConfig, SchedulerKind, SigmaSpacing};

use crate::latents_file::check_latents;
use crate::request::{check_eta, check_guidance};
use crate::{
    GenerationSettings, Guidance, ImageSource, NoiseKind, NoiseSource, Pipeline, PipelineError,
    SampleRequest, SchedulerChoice, read_latents,
};

/// Inference steps and guidance scale where neither a person nor a model says.
const DEFAULTS: (usize, f64) = (20, 3.0);

/// [`GenerationSettings`] resolved for a model: plain values, nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The prompt.
    pub prompt: String,
    /// What guidance leads away from.
    pub negative_prompt: Option<String>,
    /// A seed per sample, and how its noise is made.
    pub noise: NoiseSource,
    /// The generator of the fresh noise that some schedulers add.
    pub sampler_noise: NoiseKind,
    /// Safetensors file with the initial noise instead.
    pub initial_noise: Option<PathBuf>,
    /// The picture that runs begin with, where they do.
    pub image: Option<ImageSource>,
    /// Inference steps, 1 or more.
    pub steps: usize,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// Whether that is the model's own size.
    pub default_size: bool,
    /// Scheduler class.
    pub scheduler: SchedulerKind,
    /// Spacing of σ where another than the model's own was asked for.
    pub sigmas: Option<SigmaSpacing>,
    /// Its configuration, η and spacing included.
    pub scheduler_config: SchedulerConfig,
    /// Most samples that are sampled at a time, 1 or more.
    pub batch: usize,
}

impl Generation {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.noise.seeds.len()
    }

    /// How often a sample calls the U-Net: the steps of a weighting.
    ///
    /// # Errors
    /// [`PipelineError::Scheduler`] where the scheduler has no such number of steps.
    pub fn calls(&self) -> Result<usize, PipelineError> {
        Ok(self.scheduler_config.calls(self.scheduler, self.steps)?)
    }

    /// Timestep and noise level of every call of the U-Net.
    ///
    /// # Errors
    /// As [`Self::calls`].
    pub fn levels(&self) -> Result<Vec<NoiseLevel>, PipelineError> {
        let scheduler = self.scheduler_config.build(self.scheduler, self.steps)?;
        let schedule = NoiseSchedule::new(&self.scheduler_config);
        let sigmas = scheduler.sigmas();
        let level = |(step, timestep): (usize, &f64)| {
            let own = sigmas.and_then(|sigmas| sigmas.get(step)).map(|sigma| f64::from(*sigma));
            let sigma = own.unwrap_or_else(|| schedule.sigma(*timestep));
            NoiseLevel { timestep: *timestep, sigma }
        };
        Ok(scheduler.timesteps().iter().enumerate().map(level).collect())
    }

    /// The samples in batches; a sample does not depend on its batch.
    pub fn batches(&self) -> Vec<Range<usize>> {
        self.batches_of(|_| true)
    }

    /// Those of the samples that are `wanted`, by their position, in batches of neighbours.
    pub fn batches_of(&self, wanted: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let mut batches: Vec<Range<usize>> = Vec::new();
        for at in (0..self.samples()).filter(|at| wanted(*at)) {
            match batches.last_mut() {
                Some(batch) if batch.end == at && batch.len() < self.batch => batch.end += 1,
                _ => batches.push(at..at + 1),
            }
        }
        batches
    }
}

impl Pipeline {
    /// Inference steps and guidance scale where a person gives none: those that the model
    /// [recommends](Self::recommended), else 20 and 3.
    pub fn default_sampling(&self) -> (usize, f64) {
        self.recommended().unwrap_or(DEFAULTS)
    }

    /// Fills in what `settings` leave open.
    ///
    /// # Errors
    /// [`PipelineError`] for a size, a number of samples or steps, a guidance scale or an η that cannot
    /// be served, or a scheduler that is not implemented.
    pub fn resolve(&self, settings: GenerationSettings) -> Result<Generation, PipelineError> {
        let (steps, guidance_scale) = self.default_sampling();
        let default_size = self.default_size();
        let [height, width] = default_size;
        let size = [settings.height.unwrap_or(height), settings.width.unwrap_or(width)];
        let steps = settings.steps.unwrap_or(steps);
        for (what, count) in [("seed", settings.seeds.len()), ("step", steps)] {
            if count == 0 {
                return Err(PipelineError::Request(format!(
                    "expected at least one {what}, found 0"
                )));
            }
        }
        let [height, width] = self.latent_size(size)?;
        if let Some(path) = &settings.initial_noise {
            let channels = self.unet().config().in_channels;
            check_latents(path, "noise", [settings.seeds.len(), channels, height, width])?;
        }
        let guidance_scale = settings.guidance_scale.unwrap_or(guidance_scale);
        check_guidance(guidance_scale)?;
        check_eta(settings.eta)?;
        let batch = self.batch(size, guidance_scale > 1.0, settings.unet_batch)?;
        let scheduler = match settings.scheduler {
            SchedulerChoice::Model => self.scheduler_config().kind()?,
            SchedulerChoice::Kind(kind) => kind,
        };
        let mut scheduler_config = self.scheduler_config().as_class(scheduler);
        scheduler_config.eta = settings.eta;
        if let Some(spacing) = settings.sigmas {
            if !scheduler.spaces_sigmas() {
                return Err(PipelineError::Request(format!(
                    "{scheduler} has no spacing of σ, as in diffusers: expected one of `{}`",
                    SchedulerKind::ALL
                        .into_iter()
                        .filter(|kind| kind.spaces_sigmas())
                        .map(SchedulerKind::name)
                        .collect::<Vec<_>>()
                        .join("`, `")
                )));
            }
            scheduler_config.sigma_spacing = spacing;
        }
        scheduler_config.calls(scheduler, steps)?;
        Ok(Generation {
            prompt: settings.prompt,
            negative_prompt: settings.negative_prompt,
            noise: NoiseSource {
                kind: settings.noise,
                dtype: self.precision(),
                seeds: settings.seeds,
            },
            sampler_noise: settings.sampler_noise.unwrap_or(settings.noise),
            initial_noise: settings.initial_noise,
            image: None,
            steps,
            guidance_scale,
            size,
            default_size: size == default_size,
            scheduler,
            sigmas: settings.sigmas,
            scheduler_config,
            batch,
        })
    }

    /// Encodes the prompt and draws the noise of those of the generation's `samples`.
    ///
    /// # Errors
    /// [`PipelineError`] for what cannot be served, or an unusable file of noise.
    pub fn request(
        &self,
        generation: &Generation,
        samples: Range<usize>,
    ) -> Result<SampleRequest, PipelineError> {
        let Generation { noise, size, .. } = generation;
        let [height, width] = self.latent_size(*size)?;
        let seeds = noise.seeds.get(samples.clone()).unwrap_or_default();
        let source = NoiseSource { seeds: seeds.to_vec(), ..noise.clone() };
        let prompts = self.encode_prompts(std::slice::from_ref(&generation.prompt))?;
        let prompts = prompts.repeated(seeds.len());
        let negative = self.encode_negative(generation.negative_prompt.as_deref(), &prompts)?;
        let channels = self.unet().config().in_channels;
        let request = SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: generation.guidance_scale, negative }),
            noise: match &generation.initial_noise {
                Some(path) => {
                    let shape = [generation.samples(), channels, height, width];
                    let whole = read_latents(path, "noise", shape, self.device())?;
                    whole.narrow(0, samples.start, seeds.len())
                }
                None => {
                    // The first draw is for the latents of the picture.
                    let draw = usize::from(generation.image.is_some());
                    source.draw(draw, [channels, height, width], self.device())
                }
            },
            fresh_noise: Some(NoiseSource { kind: generation.sampler_noise, ..source }),
            scheduler: generation.scheduler,
            scheduler_config: generation.scheduler_config.clone(),
            steps: generation.steps,
            sizes: None,
        };
        request.check()?;
        Ok(request)
    }
}
