use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use dataset::Dataset;
use pipeline::{Pipeline, parse_device, parse_dtype};
use trainer::{QualitySettings, quality};

/// Arguments of `cargo xtask quality`.
#[derive(Args)]
pub struct QualityArgs {
    /// Folder with the training pictures (`train/`).
    #[arg(long)]
    data: PathBuf,
    /// Pipeline folder with its `training.json`.
    #[arg(long, default_value = "models/emoji-sd")]
    model: PathBuf,
    /// Pictures to sample, evenly spread over the captions the model was trained on.
    #[arg(long, default_value_t = 100)]
    pictures: usize,
    /// Inference steps.
    #[arg(long, default_value_t = 20)]
    steps: usize,
    /// Guidance scale.
    #[arg(long, default_value_t = 3.0)]
    guidance: f64,
    /// Seed of the first picture.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
}

pub fn handle_command(args: QualityArgs) -> anyhow::Result<()> {
    let pipeline = Pipeline::from_folder(&args.model, parse_dtype("f32")?, &parse_device("cpu")?)?;
    let train = Dataset::open(args.data.join("train"))?;
    let path = args.model.join("training.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
    let training: serde_json::Value = serde_json::from_str(&text)?;
    let concepts: Vec<String> = serde_json::from_value(training["concepts"].clone())
        .with_context(|| format!("`{}`: expected `concepts`", path.display()))?;
    let settings = QualitySettings {
        pictures: args.pictures,
        steps: args.steps,
        guidance_scale: args.guidance,
        seed: args.seed,
    };
    let found = quality(&pipeline, &train, &concepts, settings)?;
    println!("{}", serde_json::to_string_pretty(&found)?);
    Ok(())
}
