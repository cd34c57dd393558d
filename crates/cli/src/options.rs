use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use pipeline::{
    Guidance, NoiseKind, NoiseSource, PictureRecord, Pipeline, SampleRequest, parse_device,
    parse_dtype, read_latents,
};
use reweight::Policy;
use scheduler::{SchedulerConfig, SchedulerKind};

/// Inference steps and guidance scale where neither the user nor a preset says.
const DEFAULTS: (usize, f64) = (20, 3.0);

/// Which model, where.
#[derive(Args)]
pub struct ModelOptions {
    /// Preset (sd-turbo, sdxl-turbo, sd-2.1-base, sd-2.1, sdxl-base), folder of a diffusers
    /// pipeline, or checkpoint in one file.
    #[arg(long, default_value = "models/emoji-sd")]
    pub model: String,
    /// Preset whose configuration a checkpoint in one file has.
    #[arg(long)]
    base: Option<String>,
    /// Device: cpu, cuda or cuda:n.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Decode one picture at a time, to save memory.
    #[arg(long)]
    vae_slicing: bool,
    /// Decode in overlapping tiles, to save memory on large pictures.
    #[arg(long)]
    vae_tiling: bool,
}

impl ModelOptions {
    pub fn load(&self) -> anyhow::Result<Pipeline> {
        let (device, dtype) = (parse_device(&self.device)?, parse_dtype(&self.dtype)?);
        let pipeline = Pipeline::open(&self.model, self.base.as_deref(), dtype, &device)?;
        Ok(pipeline.with_vae_slicing(self.vae_slicing).with_vae_tiling(self.vae_tiling))
    }
}

/// How pictures are sampled.
#[derive(Args)]
pub struct SamplingOptions {
    /// Prompt.
    pub prompt: String,
    /// Negative prompt.
    #[arg(long)]
    negative: Option<String>,
    /// Inference steps; the preset's own where absent, else 20.
    #[arg(long)]
    steps: Option<usize>,
    /// Guidance scale, 0 or 1 for none; the preset's own where absent, else 3.
    #[arg(long)]
    guidance: Option<f64>,
    /// Seeds, one picture each.
    #[arg(long, value_delimiter = ',', default_value = "42")]
    pub seeds: Vec<u64>,
    /// Noise a seed stands for: counter (our own), torch-cpu, torch-cuda (PyTorch's, in the
    /// weights' data type), or torch-cpu-legacy (that of
    /// PyTorch 2.3).
    #[arg(long, default_value = "counter")]
    noise: NoiseKind,
    /// Safetensors file with the initial noise instead: `noise`, of [seeds, channels, height,
    /// width].
    #[arg(long)]
    initial_noise: Option<PathBuf>,
    /// Width in pixels; the model's own where absent.
    #[arg(long)]
    width: Option<usize>,
    /// Height in pixels; the model's own where absent.
    #[arg(long)]
    height: Option<usize>,
    /// Scheduler: ddim, euler, euler-a, pndm, dpm++2m, or model for the model's own.
    #[arg(long, default_value = "ddim")]
    scheduler: String,
    /// DDIM's η: 0 is deterministic, 1 as noisy as DDPM.
    #[arg(long, default_value_t = 0.0)]
    eta: f64,
}

impl SamplingOptions {
    fn kind(&self, pipeline: &Pipeline) -> anyhow::Result<SchedulerKind> {
        Ok(match self.scheduler.as_str() {
            "model" => pipeline.scheduler_config().kind()?,
            name => name.parse()?,
        })
    }

    fn size(&self, pipeline: &Pipeline) -> [usize; 2] {
        let [height, width] = pipeline.default_size();
        [self.height.unwrap_or(height), self.width.unwrap_or(width)]
    }

    /// Inference steps for the model.
    pub fn steps(&self, pipeline: &Pipeline) -> usize {
        self.steps.unwrap_or(pipeline.recommended().unwrap_or(DEFAULTS).0)
    }

    fn guidance(&self, pipeline: &Pipeline) -> f64 {
        self.guidance.unwrap_or(pipeline.recommended().unwrap_or(DEFAULTS).1)
    }

    /// The model's scheduler configuration with what was asked for.
    pub fn config(&self, pipeline: &Pipeline) -> SchedulerConfig {
        let mut config = pipeline.scheduler_config().clone();
        config.eta = self.eta;
        config
    }

    /// One sample per seed.
    pub fn request(&self, pipeline: &Pipeline) -> anyhow::Result<SampleRequest> {
        let steps = self.steps(pipeline);
        if steps == 0 {
            bail!("expected at least one step, found 0");
        }
        let prompts = [self.prompt.clone()];
        for prompt in pipeline.truncated_prompts(&prompts) {
            let start: String = prompt.chars().take(40).collect();
            eprintln!("warning: the text encoder does not see the end of \"{start}…\"");
        }
        let encoded = pipeline.encode_prompts(&prompts)?.repeated(self.seeds.len());
        let negative = pipeline.encode_negative(self.negative.as_deref(), &encoded)?;
        let [height, width] = pipeline.latent_size(self.size(pipeline))?;
        let shape = [pipeline.unet().config().in_channels, height, width];
        let source = NoiseSource {
            kind: self.noise,
            dtype: pipeline.noise_type(),
            seeds: self.seeds.clone(),
        };
        let request = SampleRequest {
            prompts: encoded,
            guidance: Some(Guidance { scale: self.guidance(pipeline), negative }),
            noise: match &self.initial_noise {
                Some(path) => {
                    let [channels, height, width] = shape;
                    let shape = [self.seeds.len(), channels, height, width];
                    read_latents(path, "noise", shape, pipeline.device())?
                }
                None => source.draw(0, shape, pipeline.device()),
            },
            fresh_noise: Some(source),
            scheduler: self.kind(pipeline)?,
            steps,
            sizes: None,
        };
        request.check(&self.config(pipeline))?;
        Ok(request)
    }

    /// What tells a run of these options from another, apart from the model.
    pub fn facts(&self, pipeline: &Pipeline) -> anyhow::Result<serde_json::Value> {
        let mut facts = serde_json::json!({
            "prompt": self.prompt,
            "seeds": self.seeds,
            "steps": self.steps(pipeline),
            "guidance": self.guidance(pipeline),
        });
        // Left out where they are as they always were, so that older states go on.
        let kind = self.kind(pipeline)?;
        let hash = |path: &PathBuf| hub::hash_file(path).map(|hash| hash.sha256);
        let initial_noise = self.initial_noise.as_ref().map(hash).transpose()?;
        let others = [
            ("negative", self.negative.is_some(), serde_json::json!(self.negative)),
            ("noise", self.noise != NoiseKind::Counter, serde_json::json!(self.noise)),
            ("scheduler", kind != SchedulerKind::Ddim, kind.class_name().into()),
            ("eta", self.eta != 0.0, self.eta.into()),
            ("initial_noise", initial_noise.is_some(), serde_json::json!(initial_noise)),
            (
                "size",
                self.size(pipeline) != pipeline.default_size(),
                serde_json::json!(self.size(pipeline)),
            ),
        ];
        for (key, differs, value) in others {
            if differs {
                facts[key] = value;
            }
        }
        Ok(facts)
    }

    /// What is stored with the picture of `seed`.
    pub fn record(
        &self,
        pipeline: &Pipeline,
        model_sha256: &str,
        seed: u64,
        policy: &Policy,
    ) -> anyhow::Result<PictureRecord> {
        Ok(PictureRecord {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative.clone(),
            seed,
            steps: self.steps(pipeline),
            guidance_scale: self.guidance(pipeline),
            scheduler: self.kind(pipeline)?.class_name().into(),
            noise: self.noise,
            eta: self.eta,
            size: self.size(pipeline),
            model: pipeline.name().into(),
            model_sha256: model_sha256.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            intervention: serde_json::to_value(policy)?,
        })
    }
}

/// The weights of a schedule file, or none.
pub fn policy(file: Option<&PathBuf>, steps: usize, pipeline: &Pipeline) -> anyhow::Result<Policy> {
    let policy = file.map(Policy::from_file).transpose()?.unwrap_or_default();
    policy.check_fits(steps, pipeline.unet().config().num_attention_blocks())?;
    Ok(policy)
}
