//! `cargo xtask quality`: how well the shipped model's pictures show what they were asked for.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use pictures::Dataset;
use pipeline::{DeviceChoice, Pipeline, Precision};
use trainer::{QualitySettings, quality};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "cargo xtask quality", version, about = "Measures how well the shipped model's pictures show what they were asked for")]
struct QualityArgs {
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

fn main() -> ExitCode {
    match run(QualityArgs::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: QualityArgs) -> anyhow::Result<()> {
    let pipeline =
        Pipeline::from_folder(&args.model, Precision::F32.into(), &DeviceChoice::Cpu.open()?)?;
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
