use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use trainer::{Dataset, Progress, Recipe};

/// Arguments of `cargo xtask train`.
#[derive(Args)]
pub struct TrainArgs {
    /// Folder with `train/` and `validation/`, each with pictures and a `metadata.jsonl`.
    #[arg(long)]
    data: PathBuf,
    /// Recipe in TOML.
    #[arg(long, default_value = "models/emoji-sd/recipe.toml")]
    recipe: PathBuf,
    /// Folder for checkpoints; a run that finds some there resumes.
    #[arg(long, default_value = "target/train")]
    work: PathBuf,
    /// Stop after this stage.
    #[arg(long, value_enum, default_value = "all")]
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    Autoencoder,
    All,
}

pub fn handle_command(args: TrainArgs) -> anyhow::Result<()> {
    let recipe = Recipe::from_file(&args.recipe)?;
    let data = Dataset::open(args.data.join("train"))?;
    std::fs::create_dir_all(&args.work).with_context(|| format!("`{}`", args.work.display()))?;
    let device = Device::flex();
    let bar = bar("autoencoder");
    let (model, losses) = trainer::train_autoencoder(
        &recipe,
        &data,
        &args.work.join("autoencoder.safetensors"),
        &device,
        &mut |progress| show(&bar, progress),
    )?;
    bar.finish();
    eprintln!("autoencoder: {} steps, scaling factor {}", losses.len(), model.config().scaling_factor);
    if args.stage == Stage::Autoencoder {
        return Ok(());
    }
    Ok(())
}

fn bar(name: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_prefix(name)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.steps as u64);
    bar.set_position(progress.step as u64);
    let minutes = progress.remaining.as_secs() as f64 / 60.0;
    let message = format!(
        "loss {:.4} gradient {:.3} {minutes:.1} min left",
        progress.loss, progress.gradient_norm
    );
    if bar.is_hidden() && progress.step.is_multiple_of(50) {
        eprintln!("{} {}/{} {message}", bar.prefix(), progress.step, progress.steps);
    }
    bar.set_message(message);
}
