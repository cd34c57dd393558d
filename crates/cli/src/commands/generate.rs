//! `generate`: pictures of a prompt.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Tensor;
use clap::Args;
use pipeline::{PictureRecord, write_latents};
use reweight::Policy;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::commands::applied::AppliedOptions;
use crate::commands::sample;
use crate::options::{ModelOptions, SamplingOptions};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Name of the file of noise and latents.
const LATENTS: &str = "latents.safetensors";

/// What a picture that is made again says itself.
const SETTINGS: [&str; 15] = [
    "prompt",
    "negative",
    "steps",
    "guidance",
    "seeds",
    "noise",
    "initial_noise",
    "width",
    "height",
    "scheduler",
    "eta",
    "weights",
    "resample",
    "window",
    "dtype",
];

/// Arguments of `generate`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight generate \"pixel art of a grinning face\"\n  \
                  unet-reweight generate \"a red apple\" --seeds 1,2,3 --weights schedule.toml\n  \
                  unet-reweight generate --like out/42.png --out again",
    mut_arg("prompt", |arg| arg.required(false).required_unless_present("like"))
)]
pub struct GenerateArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// Make this picture again, bit for bit: prompt, seed, weights and all else are what it says.
    #[arg(long, conflicts_with_all = SETTINGS)]
    like: Option<PathBuf>,
    /// Schedule file (TOML, JSON, or the authors' YAML).
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    applied: AppliedOptions,
    /// Folder the pictures are written to.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Also write `latents.safetensors`: the initial noise and the last latents of all seeds.
    #[arg(long)]
    save_latents: bool,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl GenerateArgs {
    /// Checks what will be written, before anything is loaded.
    fn check_outputs(&self, sampling: &SamplingOptions) -> anyhow::Result<()> {
        let mut outputs = Outputs::new();
        for seed in sampling.seeds() {
            outputs = outputs.with_picture(&self.out.join(format!("{seed}.png")));
        }
        if self.save_latents {
            outputs = outputs.with(self.out.join(LATENTS), Kind::Latents);
        }
        let files = [self.weights.as_deref(), self.like.as_deref()];
        let inputs = [files[0], files[1], sampling.noise_file()].into_iter().flatten();
        outputs.check(inputs.chain(self.model.files()), &self.output)
    }
}

/// The record of the picture that is to be made again, and what it says was done to the U-Net.
fn recorded(path: &Path) -> anyhow::Result<(PictureRecord, Policy)> {
    let record = PictureRecord::of_png(path)?;
    let policy = match &record.intervention {
        Value::Null => Policy::default(),
        done => Policy::deserialize(done).with_context(|| {
            format!("`{}`: its record tells no single schedule", path.display())
        })?,
    };
    Ok((record, policy))
}

pub fn run(mut args: GenerateArgs) -> anyhow::Result<()> {
    let recorded = args.like.as_deref().map(recorded).transpose()?;
    if let Some((record, _)) = &recorded {
        args.sampling = SamplingOptions::like(record)?;
        args.model = args.model.like(record)?;
    }
    args.check_outputs(&args.sampling)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    let sha256 = pipeline.fingerprint()?;
    let policy = match recorded {
        Some((record, _)) if record.model_sha256 != sha256 => bail!(
            "the picture was made by `{}` of sha256 {}, found {sha256} of `{}`: name its model with \
             --model",
            record.model,
            record.model_sha256,
            pipeline.name()
        ),
        Some((_, policy)) => policy,
        None => args.applied.policy(args.weights.as_deref(), &generation, &pipeline)?,
    };
    let intervention = serde_json::to_value(&policy)?;
    let (mut written, mut noise, mut latents) = (Vec::new(), Vec::new(), Vec::new());
    for samples in generation.batches() {
        let request = pipeline.request(&generation, samples.clone())?;
        let sampled = sample(&pipeline, &request, &policy, "sampling")?;
        if args.save_latents {
            noise.push(request.noise);
            latents.push(sampled.clone());
        }
        let seeds = &generation.noise.seeds[samples];
        for (picture, seed) in pipeline.pictures(sampled)?.iter().zip(seeds) {
            let path = args.out.join(format!("{seed}.png"));
            let record = pipeline.record(&generation, &sha256, *seed, intervention.clone());
            record.save(picture, &path)?;
            written.push(path.display().to_string());
        }
    }
    if args.save_latents {
        let path = args.out.join(LATENTS);
        let (noise, latents) = (Tensor::cat(noise, 0), Tensor::cat(latents, 0));
        write_latents(&path, &[("noise", &noise), ("latents", &latents)])?;
    }
    if args.json {
        return terminal::json(&json!({ "pictures": written }));
    }
    written.iter().try_for_each(terminal::line)
}
