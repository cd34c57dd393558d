//! `cargo xtask train`: trains the models that ship in `models/`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use files::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};
use pipeline::DeviceChoice;
use trainer::{Folders, Progress, Recipe, ScorerRecipe, Stages, Trained};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[derive(Parser)]
#[command(name = "cargo xtask train", version, about = "Trains the models that ship in `models/`")]
struct TrainArgs {
    /// Folder with `train/` and `validation/`, each with pictures and a `metadata.jsonl`.
    #[arg(long)]
    data: PathBuf,
    /// What to train.
    #[arg(long, value_enum, default_value = "pipeline")]
    model: Model,
    /// Recipe in TOML [default: `recipe.toml` of the shipped model].
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Folder for checkpoints; a run that finds some there resumes.
    #[arg(long, default_value = "target/train")]
    work: PathBuf,
    /// Folder the model is written to [default: that of the shipped model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Pipeline folder of an earlier training to go on from: what its `training.json` says was trained
    /// is not trained again.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Stop after this stage of the pipeline.
    #[arg(long, value_enum, default_value = "all")]
    stage: Stage,
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n]. Checkpoints of one can be gone on with on another.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Model {
    /// The text-to-image model.
    Pipeline,
    /// The small CLIP that scores its pictures.
    Scorer,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The autoencoder.
    Autoencoder,
    /// Then U-Net and text encoder, and the pipeline folder.
    All,
    /// Then the few-step model, and its pipeline folder instead.
    Distillation,
}

fn main() -> ExitCode {
    let args = TrainArgs::parse();
    terminal::end(kernels::on_workers(|| run(args)), |_| 1)
}

fn run(args: TrainArgs) -> anyhow::Result<()> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let (described, made) = match (args.model, args.stage) {
        (Model::Pipeline, Stage::Distillation) => ("emoji-sd", "emoji-turbo"),
        (Model::Pipeline, _) => ("emoji-sd", "emoji-sd"),
        (Model::Scorer, _) => ("emoji-clip", "emoji-clip"),
    };
    let recipe = args.recipe.clone().unwrap_or_else(|| models.join(described).join("recipe.toml"));
    let out = args.out.clone().unwrap_or_else(|| models.join(made));
    let text = files::read_to_string(&recipe)?;
    match args.model {
        Model::Pipeline => train_pipeline(&args, &recipe, &out)?,
        Model::Scorer if args.from.is_some() => {
            anyhow::bail!("`--from`: a scorer is trained from its start")
        }
        Model::Scorer => train_scorer(&args, &recipe, &out)?,
    }
    if args.stage == Stage::Autoencoder && args.model == Model::Pipeline {
        return Ok(());
    }
    Ok(write_atomically(out.join("recipe.toml"), text)?)
}

fn train_scorer(args: &TrainArgs, recipe: &Path, out: &Path) -> anyhow::Result<()> {
    let recipe = ScorerRecipe::from_file(recipe)?;
    let mut bar = None;
    let mut show = |name: &'static str, progress: Progress| {
        update(bar.get_or_insert_with(|| new_bar(name)), progress);
    };
    let summary = trainer::train_scorer_model(
        &recipe,
        &args.data,
        &args.work,
        out,
        &args.device.open()?,
        &mut show,
    )?;
    terminal::note(format_args!(
        "{} pairs; held out: the right caption of {} nearest in {:.1} %; written to `{}`",
        summary.pairs,
        summary.held_out.candidates,
        100.0 * summary.held_out.caption_of_picture_top1,
        out.display()
    ));
    Ok(())
}

fn train_pipeline(args: &TrainArgs, recipe: &Path, out: &Path) -> anyhow::Result<()> {
    let recipe = Recipe::from_file(recipe)?;
    let stages = match args.stage {
        Stage::Autoencoder => Stages::Autoencoder,
        Stage::All => Stages::All,
        Stage::Distillation => Stages::Distillation,
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
    let device = args.device.open()?;
    let folders = Folders { data: &args.data, work: &args.work, out, from: args.from.as_deref() };
    match trainer::train(&recipe, folders, stages, &device, &mut show)? {
        Trained::Autoencoder { psnr } => {
            terminal::note(format_args!("autoencoder {psnr:.2} dB on the validation pictures"));
        }
        Trained::Pipeline(summary) => terminal::note(format_args!(
            "{} concepts, {} pictures, autoencoder {:.2} dB; written to `{}`",
            summary.concepts.len(),
            summary.pictures,
            summary.autoencoder_psnr,
            out.display()
        )),
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
        let (step, steps) = (progress.step, progress.steps);
        terminal::note(format_args!("{} {step}/{steps} {message}", bar.prefix()));
    }
    bar.set_message(message);
}
