//! Options that several commands share: which model, and how pictures are sampled.

mod model_source;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use pipeline::{
    DeviceChoice, Generation, GenerationSettings, NoiseKind, PictureRecord, Pipeline, Precision,
    SchedulerChoice,
};
use scheduler::{SchedulerKind, SigmaSpacing};

use crate::failure::{OrUsage, usage};
use crate::loras::LoraOptions;

/// Which model, where.
#[derive(Args)]
pub struct ModelOptions {
    /// Preset (sd-turbo, sdxl-turbo, sd-2.1-base, sd-2.1, sdxl-base, sd-1.5), shipped model (emoji-sd,
    /// emoji-turbo), folder of a diffusers pipeline, or checkpoint in one file.
    /// [default: the shipped model `emoji-sd`].
    #[arg(long)]
    model: Option<String>,
    /// Preset whose configuration a checkpoint in one file has.
    #[arg(long)]
    base: Option<String>,
    #[command(flatten)]
    loras: LoraOptions,
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Decode one picture at a time, to save memory.
    #[arg(long)]
    vae_slicing: bool,
    /// Decode in overlapping tiles, to save memory on large pictures.
    #[arg(long)]
    vae_tiling: bool,
}

impl ModelOptions {
    /// The model's file, where it is in one that is given, and those of LoRAs: something that is
    /// read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let model = self.model.as_deref().map(Path::new).filter(|path| path.is_file());
        model.into_iter().chain(self.loras.files())
    }

    /// In the data type and with the LoRAs that a picture was made with, and decoded as it was.
    ///
    /// # Errors
    /// Where the file of a LoRA is not named.
    pub fn like(self, record: &PictureRecord) -> anyhow::Result<Self> {
        let dtype = record.dtype.unwrap_or(self.dtype);
        let vae_tiling = self.vae_tiling || record.extras.vae_tiling;
        Ok(Self { loras: self.loras.recorded(record)?, dtype, vae_tiling, ..self })
    }

    /// Loads the model.
    pub fn load(&self) -> anyhow::Result<Pipeline> {
        let model = named_model(self.model.as_deref(), self.base.as_deref())?;
        let (device, dtype) = (self.device.open()?, self.dtype.into());
        log::info!("loading `{model}` on {} in {}", self.device, self.dtype);
        let (base, loras) = (self.base.as_deref(), self.loras.choices());
        let pipeline = Pipeline::open_with(&model, base, loras, dtype, &device)?;
        log::info!("loaded `{}` from `{}`", pipeline.name(), pipeline.path().display());
        Ok(pipeline.with_vae_slicing(self.vae_slicing).with_vae_tiling(self.vae_tiling))
    }
}

/// The model that is meant, the shipped one where none is named. `base` must be a preset, and is
/// for checkpoints in one file only.
pub fn named_model(model: Option<&str>, base: Option<&str>) -> anyhow::Result<String> {
    let model = model.map_or_else(default_model, |model| Ok(model.to_string()))?;
    if let Some(base) = base {
        hub::preset(base)?;
        let named = hub::SHIPPED.contains(&model.as_str()) || hub::preset(&model).is_ok();
        if Path::new(&model).is_dir() || named && !Path::new(&model).is_file() {
            return Err(usage(format_args!(
                "--base is for checkpoints in one file; `{model}` says itself what it is"
            )));
        }
    }
    Ok(model)
}

/// Where the model is that comes with the program.
pub fn default_model() -> anyhow::Result<String> {
    shipped("emoji-sd")
}

/// Where the scorer is that comes with the program.
pub fn default_scorer() -> anyhow::Result<PathBuf> {
    Ok(shipped("emoji-clip")?.into())
}

fn shipped(name: &str) -> anyhow::Result<String> {
    Ok(hub::shipped(name, &hub::Settings::from_env())?.display().to_string())
}

/// Inference steps: as many as schedules have timesteps, at most.
pub fn steps() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=10_000)
}

/// A side of a picture in pixels.
pub fn side() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=16_384)
}

/// A number from 1 to a million, of things that are done one after another.
pub fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}

/// Seeds where none are given.
const DEFAULT_SEEDS: [u64; 1] = [42];

/// How pictures are sampled.
#[derive(Args)]
pub struct SamplingOptions {
    /// Prompt.
    #[arg(required = true)]
    prompt: Option<String>,
    /// Negative prompt.
    #[arg(long)]
    negative: Option<String>,
    /// Inference steps as diffusers counts them; the model's own where absent, else 20. PNDM calls
    /// the U-Net once more, or nine times more where the model does not skip its Runge-Kutta steps,
    /// Heun twice a step but the last: a schedule has a step for each call.
    #[arg(long, value_parser = steps())]
    steps: Option<usize>,
    /// Guidance scale, 0 or 1 for none; the model's own where absent, else 3.
    #[arg(long, allow_negative_numbers = true)]
    guidance: Option<f64>,
    /// Seeds, one picture each [default: 42].
    #[arg(long, value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Noise a seed stands for: counter (our own), torch-cpu, torch-cuda (PyTorch's, in the
    /// weights' data type), or torch-cpu-legacy (that of
    /// PyTorch 2.3).
    #[arg(long, default_value = "counter")]
    noise: NoiseKind,
    /// Noise that samplers add at each step (euler-a, dpm++2m-sde, lcm, ddim with --eta), where it
    /// is to be of another kind than --noise.
    #[arg(long)]
    sampler_noise: Option<NoiseKind>,
    /// Safetensors file with the initial noise instead: `noise`, of [seeds, channels, height,
    /// width].
    #[arg(long)]
    initial_noise: Option<PathBuf>,
    /// Width in pixels; the model's own where absent.
    #[arg(long, value_parser = side())]
    width: Option<usize>,
    /// Height in pixels; the model's own where absent.
    #[arg(long, value_parser = side())]
    height: Option<usize>,
    /// Scheduler: ddim, euler, euler-a, pndm, heun, dpm++2m, dpm++2m-sde, lcm, or model for the
    /// model's own.
    #[arg(long, default_value = "ddim")]
    scheduler: SchedulerChoice,
    /// Spacing of σ for euler, heun, dpm++2m and dpm++2m-sde: timesteps, karras or exponential; the
    /// model's own where absent.
    #[arg(long)]
    sigmas: Option<SigmaSpacing>,
    /// DDIM's η: 0 is deterministic, 1 as noisy as DDPM.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    eta: f64,
    /// Most samples of one U-Net call, of the commands that let a person say so.
    #[arg(skip)]
    unet_batch: Option<usize>,
}

/// How many samples are computed at a time.
#[derive(Args)]
pub struct BatchOptions {
    /// Most samples of one U-Net call, two for each picture with guidance, at least one picture's;
    /// pictures do not depend on it [default: up to 16, fewer where the model's largest tensors
    /// would take more than 512 MiB together, the pictures have more pixels than eight of 512×512, or
    /// free memory has no room].
    #[arg(long, visible_alias = "unet-batch", value_parser = count())]
    batch: Option<usize>,
}

impl SamplingOptions {
    /// With so many samples at a time.
    pub fn in_batches(self, options: &BatchOptions) -> Self {
        Self { unet_batch: options.batch, ..self }
    }

    /// Seeds, one picture each.
    pub fn seeds(&self) -> &[u64] {
        if self.seeds.is_empty() { &DEFAULT_SEEDS } else { &self.seeds }
    }

    /// With these seeds where none are given.
    pub fn or_seeds(mut self, seeds: &[u64]) -> Self {
        if self.seeds.is_empty() {
            self.seeds = seeds.to_vec();
        }
        self
    }

    /// As a picture was made.
    ///
    /// # Errors
    /// Where the record names a scheduler that is not implemented, or a noise file that it does not
    /// hold.
    pub fn like(record: &PictureRecord) -> anyhow::Result<Self> {
        if record.initial_noise.is_some() {
            bail!("the picture's initial noise came from a file, which it does not hold");
        }
        if record.extras.image.is_some() {
            bail!("the picture was made of another, which it does not hold");
        }
        let [height, width] = record.size;
        Ok(Self {
            prompt: Some(record.prompt.clone()),
            negative: record.negative_prompt.clone(),
            steps: Some(record.steps),
            guidance: Some(record.guidance_scale),
            seeds: vec![record.seed],
            noise: record.noise,
            sampler_noise: record.extras.sampler_noise,
            initial_noise: None,
            width: Some(width),
            height: Some(height),
            scheduler: SchedulerChoice::Kind(record.scheduler.parse()?),
            sigmas: record.extras.sigmas,
            eta: record.eta,
            unet_batch: None,
        })
    }

    /// For pictures of this height and width.
    pub fn sized(self, [height, width]: [usize; 2]) -> Self {
        Self { height: Some(height), width: Some(width), ..self }
    }

    /// The file of initial noise, where there is one: something that is read.
    pub fn noise_file(&self) -> Option<&Path> {
        self.initial_noise.as_deref()
    }

    /// What is to be generated with a model; warns where its text encoder does not see all of a
    /// prompt, and of options without effect.
    pub fn resolve(self, pipeline: &Pipeline) -> anyhow::Result<Generation> {
        let seeds = self.seeds().to_vec();
        let mut different = HashSet::new();
        if let Some(seed) = seeds.iter().find(|seed| !different.insert(**seed)) {
            return Err(usage(format_args!("expected different --seeds, found {seed} twice")));
        }
        let generation = pipeline.resolve(GenerationSettings {
            prompt: self.prompt.unwrap_or_default(),
            negative_prompt: self.negative,
            seeds,
            noise: self.noise,
            sampler_noise: self.sampler_noise,
            initial_noise: self.initial_noise,
            steps: self.steps,
            guidance_scale: self.guidance,
            height: self.height,
            width: self.width,
            scheduler: self.scheduler,
            sigmas: self.sigmas,
            eta: self.eta,
            unet_batch: self.unet_batch,
        });
        let generation = generation.or_usage()?;
        let texts: Vec<String> =
            generation.negative_prompt.iter().chain([&generation.prompt]).cloned().collect();
        for prompt in pipeline.truncated_prompts(&texts) {
            let start: String = prompt.chars().take(40).collect();
            terminal::warn(format_args!("the text encoder does not see the end of \"{start}…\""));
        }
        let Generation { guidance_scale, scheduler, .. } = generation;
        if generation.negative_prompt.is_some() && guidance_scale <= 1.0 {
            terminal::warn(format_args!(
                "--negative has no effect with --guidance {guidance_scale}, only above 1"
            ));
        }
        if generation.scheduler_config.eta > 0.0 && scheduler != SchedulerKind::Ddim {
            terminal::warn(format_args!("--eta has no effect with {scheduler}, only with ddim"));
        }
        let Generation { noise, sampler_noise, .. } = &generation;
        if !scheduler.adds_noise(generation.scheduler_config.eta) && *sampler_noise != noise.kind {
            terminal::warn(format_args!(
                "--sampler-noise has no effect with {scheduler}, which adds none"
            ));
        }
        Ok(generation)
    }
}
