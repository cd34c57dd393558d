//! `generate`: pictures of a prompt.

use std::path::PathBuf;

use burn::tensor::Tensor;
use clap::Args;
use pipeline::write_latents;
use serde_json::json;

use crate::commands::applied::AppliedOptions;
use crate::commands::sample;
use crate::options::{ModelOptions, SamplingOptions};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Name of the file of noise and latents.
const LATENTS: &str = "latents.safetensors";

/// Arguments of `generate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  unet-reweight generate \"pixel art of a grinning face\"\n  \
                        unet-reweight generate \"a red apple\" --seeds 1,2,3 --weights schedule.toml")]
pub struct GenerateArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
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
    fn check_outputs(&self) -> anyhow::Result<()> {
        let mut outputs = Outputs::new();
        for seed in self.sampling.seeds() {
            outputs = outputs.with_picture(&self.out.join(format!("{seed}.png")));
        }
        if self.save_latents {
            outputs = outputs.with(self.out.join(LATENTS), Kind::Latents);
        }
        let inputs = [self.weights.as_deref(), self.sampling.noise_file(), self.model.file()];
        outputs.check(inputs.into_iter().flatten(), &self.output)
    }
}

pub fn run(args: GenerateArgs) -> anyhow::Result<()> {
    args.check_outputs()?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    let policy = args.applied.policy(args.weights.as_deref(), &generation, &pipeline)?;
    let intervention = serde_json::to_value(&policy)?;
    let sha256 = pipeline.fingerprint()?;
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
