//! `cargo xtask quality`: how well the shipped model's pictures show what they were asked for.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pictures::Dataset;
use pipeline::{DeviceChoice, Pipeline, Precision};
use trainer::{QualitySettings, Summary, quality};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "cargo xtask quality",
    version,
    about = "Measures how well the shipped model's pictures show what they were asked for"
)]
struct QualityArgs {
    /// Folder with the training pictures (`train/`).
    #[arg(long)]
    data: PathBuf,
    /// Pipeline folder with its `training.json`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/emoji-sd"))]
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
    terminal::end(run(QualityArgs::parse()), |_| 1)
}

fn run(args: QualityArgs) -> anyhow::Result<()> {
    let summary = Summary::from_folder(&args.model)?;
    let pipeline =
        Pipeline::from_folder(&args.model, Precision::F32.into(), &DeviceChoice::Cpu.open()?)?;
    let train = Dataset::open(args.data.join("train"))?;
    let settings = QualitySettings {
        pictures: args.pictures,
        steps: args.steps,
        guidance_scale: args.guidance,
        seed: args.seed,
    };
    let quality = quality(&pipeline, &train, &summary.concepts, settings)?;
    terminal::pretty_json(&quality)
}
