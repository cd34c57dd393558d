use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use pipeline::{
    Guidance, PictureRecord, Pipeline, SampleRequest, initial_noise, parse_device, parse_dtype,
};
use reweight::Policy;
use scheduler::SchedulerKind;

/// Which model, where.
#[derive(Args)]
pub struct ModelOptions {
    /// Folder of a diffusers pipeline.
    #[arg(long, default_value = "models/emoji-sd")]
    pub model: PathBuf,
    /// Device: cpu, cuda or cuda:n.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: String,
}

impl ModelOptions {
    pub fn load(&self) -> anyhow::Result<Pipeline> {
        let (device, dtype) = (parse_device(&self.device)?, parse_dtype(&self.dtype)?);
        Ok(Pipeline::from_folder(&self.model, dtype, &device)?)
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
    /// Inference steps.
    #[arg(long, default_value_t = 20)]
    pub steps: usize,
    /// Guidance scale; 0 or 1 for none.
    #[arg(long, default_value_t = 3.0)]
    pub guidance: f64,
    /// Seeds, one picture each.
    #[arg(long, value_delimiter = ',', default_value = "42")]
    pub seeds: Vec<u64>,
    /// Width in pixels; the model's own where absent.
    #[arg(long)]
    width: Option<usize>,
    /// Height in pixels; the model's own where absent.
    #[arg(long)]
    height: Option<usize>,
    /// Scheduler: ddim or euler.
    #[arg(long, default_value = "ddim")]
    scheduler: String,
}

impl SamplingOptions {
    fn kind(&self) -> anyhow::Result<SchedulerKind> {
        match self.scheduler.as_str() {
            "ddim" => Ok(SchedulerKind::Ddim),
            "euler" => Ok(SchedulerKind::Euler),
            other => bail!("expected the scheduler `ddim` or `euler`, found `{other}`"),
        }
    }

    fn size(&self, pipeline: &Pipeline) -> [usize; 2] {
        let [height, width] = pipeline.default_size();
        [self.height.unwrap_or(height), self.width.unwrap_or(width)]
    }

    /// One sample per seed.
    pub fn request(&self, pipeline: &Pipeline) -> anyhow::Result<SampleRequest> {
        if self.steps == 0 {
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
        Ok(SampleRequest {
            prompts: encoded,
            guidance: Some(Guidance { scale: self.guidance, negative }),
            noise: initial_noise(&self.seeds, shape, pipeline.device()),
            scheduler: self.kind()?,
            steps: self.steps,
            sizes: None,
        })
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
            steps: self.steps,
            guidance_scale: self.guidance,
            scheduler: self.kind()?.class_name().into(),
            size: self.size(pipeline),
            model: pipeline.name(),
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
