//! From what a person asks for to a request that can be sampled: settings, resolved once for a
//! model, then encoded and drawn.

use std::ops::Range;
use std::path::PathBuf;

use reweight::NoiseLevel;
use scheduler::{NoiseSchedule, SchedulerConfig, SchedulerKind};

use crate::{
    DeviceChoice, Guidance, NoiseKind, NoiseSource, PictureRecord, Pipeline, PipelineError,
    SampleRequest, read_latents,
};

/// Inference steps and guidance scale where neither a person nor a preset says.
const DEFAULTS: (usize, f64) = (20, 3.0);

/// Which scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerChoice {
    /// The class that the model's own configuration is written for.
    Model,
    /// This class, whatever the model's own.
    Kind(SchedulerKind),
}

impl Default for SchedulerChoice {
    /// The paper's.
    fn default() -> Self {
        Self::Kind(SchedulerKind::Ddim)
    }
}

impl std::str::FromStr for SchedulerChoice {
    type Err = PipelineError;

    /// Reads `model`, or the name of a scheduler.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        match text {
            "model" => Ok(Self::Model),
            name => Ok(Self::Kind(name.parse()?)),
        }
    }
}

/// What is asked of a model; what is absent, the model or its preset says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GenerationSettings {
    /// The prompt.
    pub prompt: String,
    /// What guidance leads away from.
    pub negative_prompt: Option<String>,
    /// Seeds, one sample each.
    pub seeds: Vec<u64>,
    /// The generator that makes their noise.
    pub noise: NoiseKind,
    /// Safetensors file with the initial noise instead: `noise`, `[seeds, channels, height, width]`.
    pub initial_noise: Option<PathBuf>,
    /// Inference steps, as diffusers counts them; else the preset's, else 20.
    pub steps: Option<usize>,
    /// Guidance scale, 0 or 1 for none; else the preset's, else 3.
    pub guidance_scale: Option<f64>,
    /// Height in pixels.
    pub height: Option<usize>,
    /// Width in pixels.
    pub width: Option<usize>,
    /// Scheduler.
    pub scheduler: SchedulerChoice,
    /// DDIM's η, from 0 (deterministic) to 1.
    pub eta: f64,
}

/// [`GenerationSettings`] resolved for a model: plain values, nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The prompt.
    pub prompt: String,
    /// What guidance leads away from.
    pub negative_prompt: Option<String>,
    /// A seed per sample, and how its noise is made.
    pub noise: NoiseSource,
    /// Safetensors file with the initial noise instead.
    pub initial_noise: Option<PathBuf>,
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
    /// Its configuration, η included.
    pub scheduler_config: SchedulerConfig,
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

    /// The samples in batches of at most eight, fewer where their pictures would have more pixels
    /// together than eight of 512×512; a sample does not depend on its batch.
    pub fn batches(&self) -> Vec<Range<usize>> {
        let pixels = self.size[0] * self.size[1];
        let (samples, most) =
            (self.samples(), (BATCH_PIXELS / pixels.max(1)).clamp(1, BATCH_SAMPLES));
        (0..samples).step_by(most).map(|start| start..samples.min(start + most)).collect()
    }
}

/// Pixels of the pictures that are sampled at a time.
const BATCH_PIXELS: usize = BATCH_SAMPLES * 512 * 512;
/// Samples that are sampled at a time: small pictures gain little from larger batches, and what is
/// done is on disk after each.
const BATCH_SAMPLES: usize = 8;

impl Pipeline {
    /// Fills in what `settings` leave open.
    ///
    /// # Errors
    /// [`PipelineError`] for a size or a number of samples or steps that cannot be served, or a
    /// scheduler that is not implemented.
    pub fn resolve(&self, settings: GenerationSettings) -> Result<Generation, PipelineError> {
        let (steps, guidance_scale) = self.recommended().unwrap_or(DEFAULTS);
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
        self.latent_size(size)?;
        let mut scheduler_config = self.scheduler_config().clone();
        scheduler_config.eta = settings.eta;
        Ok(Generation {
            prompt: settings.prompt,
            negative_prompt: settings.negative_prompt,
            noise: NoiseSource {
                kind: settings.noise,
                dtype: self.precision(),
                seeds: settings.seeds,
            },
            initial_noise: settings.initial_noise,
            steps,
            guidance_scale: settings.guidance_scale.unwrap_or(guidance_scale),
            size,
            default_size: size == default_size,
            scheduler: match settings.scheduler {
                SchedulerChoice::Model => scheduler_config.kind()?,
                SchedulerChoice::Kind(kind) => kind,
            },
            scheduler_config,
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
                None => source.draw(0, [channels, height, width], self.device()),
            },
            fresh_noise: Some(source),
            scheduler: generation.scheduler,
            scheduler_config: generation.scheduler_config.clone(),
            steps: generation.steps,
            sizes: None,
        };
        request.check()?;
        Ok(request)
    }

    /// What is stored with the picture of `seed`, drawn under `intervention` by this pipeline, whose
    /// [`fingerprint`](Self::fingerprint) is `model_sha256`.
    pub fn record(
        &self,
        generation: &Generation,
        model_sha256: &str,
        seed: u64,
        intervention: serde_json::Value,
    ) -> PictureRecord {
        PictureRecord {
            prompt: generation.prompt.clone(),
            negative_prompt: generation.negative_prompt.clone(),
            seed,
            steps: generation.steps,
            guidance_scale: generation.guidance_scale,
            scheduler: generation.scheduler.class_name().into(),
            noise: generation.noise.kind,
            eta: generation.scheduler_config.eta,
            initial_noise: generation.initial_noise.as_ref().and_then(|path| {
                // It was read a moment ago; what is not there now can be told no more.
                hub::hash_file(path).ok().map(|hash| hash.sha256)
            }),
            size: generation.size,
            model: self.name().into(),
            model_sha256: model_sha256.into(),
            loras: self.loras().to_vec(),
            dtype: Some(self.precision()),
            device: DeviceChoice::of(self.device()),
            version: env!("CARGO_PKG_VERSION").into(),
            intervention,
        }
    }
}
