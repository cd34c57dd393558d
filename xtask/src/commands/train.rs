use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use trainer::{Progress, Recipe, Stages};

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
    /// Folder the pipeline is written to.
    #[arg(long, default_value = "models/emoji-sd")]
    out: PathBuf,
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
    let stages = match args.stage {
        Stage::Autoencoder => Stages::Autoencoder,
        Stage::All => Stages::All,
    };
    let mut bars: Vec<ProgressBar> = Vec::new();
    let mut show = |name: &'static str, progress: Progress| {
        if bars.last().is_none_or(|bar| bar.prefix() != name) {
            bars.push(new_bar(name));
        }
        if let Some(bar) = bars.last() {
            update(bar, progress);
        }
    };
    let summary = trainer::train(&recipe, &args.data, &args.work, &args.out, stages, &mut show)?;
    if let Some(summary) = summary {
        eprintln!(
            "{} concepts, {} pictures, autoencoder {:.2} dB; written to `{}`",
            summary.concepts.len(),
            summary.pictures,
            summary.autoencoder_psnr,
            args.out.display()
        );
    }
    Ok(())
}

fn new_bar(name: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_prefix(name)
}

fn update(bar: &ProgressBar, progress: Progress) {
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
