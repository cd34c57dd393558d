use std::path::PathBuf;

use clap::Args;
use pipeline::{pictures_from_tensor, write_latents};
use serde_json::json;

use crate::commands::sample;
use crate::options::{ModelOptions, SamplingOptions, policy};

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
    /// Folder the pictures are written to.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Also write `latents.safetensors`: the initial noise and the last latents of all seeds.
    #[arg(long)]
    save_latents: bool,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: GenerateArgs) -> anyhow::Result<()> {
    let pipeline = args.model.load()?;
    let policy = policy(args.weights.as_ref(), args.sampling.steps(&pipeline), &pipeline)?;
    let request = args.sampling.request(&pipeline)?;
    let config = args.sampling.config(&pipeline);
    let sha256 = pipeline.fingerprint()?;
    let latents = sample(&pipeline, &config, &request, &policy, "sampling")?;
    let mut written = Vec::new();
    if args.save_latents {
        let path = args.out.join("latents.safetensors");
        write_latents(&path, &[("noise", &request.noise), ("latents", &latents)])?;
    }
    let pictures = pictures_from_tensor(pipeline.decode(latents));
    for (picture, seed) in pictures.iter().zip(&args.sampling.seeds) {
        let path = args.out.join(format!("{seed}.png"));
        args.sampling.record(&pipeline, &sha256, *seed, &policy)?.save(picture, &path)?;
        written.push(path.display().to_string());
    }
    if args.json {
        println!("{}", json!({ "pictures": written }));
    } else {
        written.iter().for_each(|path| println!("{path}"));
    }
    Ok(())
}
