//! `cargo xtask quality`: how well the shipped model's pictures show what they were asked for.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use indicatif::ProgressBar;
use metrics::ClipScorer;
use pictures::Dataset;
use pipeline::{DeviceChoice, Pipeline, Precision};
use serde::Serialize;
use trainer::{
    CaptionsRecipe, HeldOut, Quality, QualitySettings, Recipe, Reference, Scored, Summary,
    VaguePrompt, quality,
};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

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
    /// A contrastive model's folder: recognises pairs seen and held out, compares sets of pictures
    /// and seeds of vague prompts. It has to be trained without the pairs held out [default: the
    /// shipped scorer, where it was].
    #[arg(long)]
    scorer: Option<PathBuf>,
    /// Recipe with the phrases that vague prompts are made of [default: that beside the model].
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// PNG file for the pictures that were scored, each beside the real one.
    #[arg(long)]
    sheet: Option<PathBuf>,
    /// Pictures to sample, evenly spread over the captions the model was trained on.
    #[arg(long, default_value_t = 100, value_parser = from_1_to(1_000_000))]
    pictures: usize,
    /// Inference steps [default: what the model recommends, else 20].
    #[arg(long, value_parser = from_1_to(10_000))]
    steps: Option<usize>,
    /// Guidance scale, 0 or 1 for none [default: what the model recommends, else 3].
    #[arg(long, value_parser = guidance, allow_negative_numbers = true)]
    guidance: Option<f64>,
    /// Seed of the first picture.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

fn from_1_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

fn guidance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.0..=pipeline::MAX_GUIDANCE).contains(&scale) => Ok(scale),
        _ => Err(format!("expected a scale from 0 to {}", pipeline::MAX_GUIDANCE)),
    }
}

fn main() -> ExitCode {
    let args = QualityArgs::parse();
    terminal::end(kernels::on_workers(|| run(args)), |_| 1)
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    quality: Quality,
    #[serde(skip_serializing_if = "Option::is_none")]
    scored: Option<Scored>,
}

impl QualityArgs {
    /// The scorer that is named, or the shipped one where it fits the model and the data.
    fn scorer(&self, held_out: &HeldOut) -> anyhow::Result<Option<PathBuf>> {
        if let Some(folder) = &self.scorer {
            anyhow::ensure!(
                HeldOut::from_folder(folder)? == *held_out,
                "the scorer in `{}` was not trained without the pairs that are held out of `{}`",
                folder.display(),
                self.model.display()
            );
            return Ok(Some(folder.clone()));
        }
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-clip");
        let without = if !self.data.join("validation").is_dir() {
            "the data have no `validation`"
        } else if HeldOut::from_folder(&shipped)? != *held_out {
            "the shipped scorer was not trained without the pairs held out of the model"
        } else {
            return Ok(Some(shipped));
        };
        for (option, given) in [("--sheet", &self.sheet), ("--recipe", &self.recipe)] {
            anyhow::ensure!(given.is_none(), "{option} needs a scorer: {without}");
        }
        terminal::note(format_args!("no figures of a scorer: {without}"));
        Ok(None)
    }

    /// The phrases that prompts which name a kind are made of, where there is a recipe with some.
    fn captions(&self) -> anyhow::Result<Option<CaptionsRecipe>> {
        let beside = self.model.join("recipe.toml");
        let recipe = match &self.recipe {
            Some(recipe) => recipe,
            None if beside.is_file() && self.data.join("keywords.json").is_file() => &beside,
            None => return Ok(None),
        };
        Ok(Some(Recipe::from_file(recipe)?.diffusion.captions))
    }
}

fn run(args: QualityArgs) -> anyhow::Result<()> {
    let summary = Summary::from_folder(&args.model)?;
    let held_out = HeldOut::from_folder(&args.model)?;
    let scorer = args.scorer(&held_out)?;
    let captions = args.captions()?;
    let device = args.device.open()?;
    let pipeline = Pipeline::from_folder(&args.model, Precision::F32.into(), &device)?;
    let mut train = Dataset::open(args.data.join("train"))?;
    let (steps, guidance_scale) = pipeline.default_sampling();
    let settings = QualitySettings {
        pictures: args.pictures,
        steps: args.steps.unwrap_or(steps),
        guidance_scale: args.guidance.unwrap_or(guidance_scale),
        seed: args.seed,
    };
    let quality = quality(&pipeline, &train, &summary.concepts, settings)?;
    let mut report = Report { quality, scored: None };
    if let Some(folder) = scorer {
        let scorer = ClipScorer::from_folder(folder, Precision::F32.into(), &device)?;
        let vague = match &captions {
            Some(captions) => VaguePrompt::of_kinds(&args.data, captions, &train)?,
            None => Vec::new(),
        };
        let held_out = held_out.split_off(&mut train);
        let validation = Dataset::open(args.data.join("validation"))?;
        let reference = Reference { train: &train, held_out: &held_out, validation: &validation };
        let bar = ProgressBar::no_length();
        let (scored, sheet) = trainer::scored(
            &pipeline,
            reference,
            &summary.concepts,
            &vague,
            &scorer,
            settings,
            &mut |pictures| bar.inc(pictures as u64),
        )?;
        bar.finish_and_clear();
        report.scored = Some(scored);
        if let Some(path) = &args.sheet {
            sheet.save_png(path, &[])?;
        }
    }
    terminal::pretty_json(&report)
}
