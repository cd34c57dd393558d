//! `fit`: block weights from real pictures.

mod print;
mod sets;

use std::path::PathBuf;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use files::write_atomically;
use probe::{
    FitPlan, FitReport, FitSettings, FitState, PictureEvaluator, Span, Subject, TargetEvaluator,
    block_labels,
};

use crate::commands::document::{About, document};
use crate::commands::progress_bar;
use crate::commands::saved::SavedState;
use crate::failure::{OrUsage, usage};
use crate::options::{ModelOptions, count, steps};
use crate::outputs::{Kind, OutputOptions, Outputs, sealed};
use sets::PictureOptions;

/// Names of the result, the schedule and the state.
const RESULT: &str = "fit.json";
const SCHEDULE: &str = "schedule.toml";
const STATE: &str = "state.json";
/// Pictures that are crossed with noises where no number is given.
const CROSSED: usize = 8;

/// Arguments of `fit`.
#[derive(Args)]
#[command(after_help = "Examples:\n  unet-reweight fit --pictures models/emoji-sd/validation\n  \
                        unet-reweight fit --pictures photos --test others --per window --out fit\n\
                        \nThe weights are for DDIM's timesteps without guidance, as the pictures are \
                        noised.")]
pub struct FitArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    pictures: PictureOptions,
    /// Inference steps.
    #[arg(long, default_value_t = 10, value_parser = steps())]
    steps: usize,
    /// Steps that share weights.
    #[arg(long, value_enum, default_value = "step")]
    per: Per,
    /// Ridge, as a share of the mean diagonal of the normal equations, 0 or more.
    #[arg(long, default_value_t = FitSettings::default().ridge, allow_negative_numbers = true)]
    ridge: f64,
    /// Largest change of a weight from 1, at most 1.
    #[arg(long, default_value_t = FitSettings::default().limit, allow_negative_numbers = true)]
    limit: f64,
    /// Seed of the noise, and of the split.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Noises that every picture is put under at each step.
    #[arg(long, default_value_t = 1, value_parser = count())]
    draws: usize,
    /// Fitted pictures, crossed with as many noises, from which the terms of Proposition 1 are
    /// taken; 0 for none [default: 8, or as many as there are].
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1000))]
    proposition: Option<usize>,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for `fit.json`, `schedule.toml`, and the state an interrupted fit resumes from.
    #[arg(long, default_value = "fit")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Steps that share weights.
#[derive(Clone, Copy, ValueEnum)]
pub enum Per {
    /// Every step has its own.
    Step,
    /// The early, the middle and the late third have theirs.
    Window,
}

impl From<Per> for Span {
    fn from(per: Per) -> Self {
        match per {
            Per::Step => Self::Step,
            Per::Window => Self::Window,
        }
    }
}

impl FitArgs {
    fn plan(&self, fitted: usize, tested: usize) -> FitPlan {
        FitPlan {
            fitted,
            tested,
            seeds: (0..self.draws as u64).map(|draw| self.seed.wrapping_add(draw)).collect(),
            crossed: self.proposition.unwrap_or(if fitted < 2 { 0 } else { CROSSED.min(fitted) }),
            settings: self.settings(),
        }
    }

    fn settings(&self) -> FitSettings {
        FitSettings { span: self.per.into(), ridge: self.ridge, limit: self.limit }
    }
}

pub fn run(args: FitArgs) -> anyhow::Result<()> {
    args.pictures.check()?;
    args.settings().check().or_usage()?;
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::FitResult)
        .with(args.out.join(SCHEDULE), Kind::SealedSchedule);
    outputs.check(args.model.files().chain(args.pictures.files()), &args.output)?;
    let sets = args.pictures.open(args.seed)?;
    let plan = args.plan(sets.fitted, sets.pictures.len() - sets.fitted);
    plan.check(sets.pictures.len()).or_usage()?;
    let pipeline = args.model.load()?;
    let pixels = sets.pixels(&pipeline)?;
    let pictures = sets.captioned(&pixels);
    let mut evaluator = PictureEvaluator::new(&pipeline, &pictures, args.steps, args.unet_batch)?;
    if let Some([a, b]) = evaluator.duplicates() {
        let [a, b] = [a, b].map(|at| sets.pictures[at].path.display());
        return Err(usage(format_args!("`{a}` and `{b}` are the same picture")));
    }
    let mut facts = sets.facts();
    facts["steps"] = args.steps.into();
    facts["model_sha256"] = pipeline.fingerprint()?.into();
    let saved = SavedState::new(&args.out.join(STATE), &facts);
    let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
    let mut state = saved.read()?.unwrap_or_else(|| FitState::new(plan.clone()));
    state.check_continues(&plan, steps, blocks).with_context(|| saved.begin_anew())?;
    let bar = progress_bar(plan.unet_samples(steps, blocks) as u64, "fitting");
    bar.set_position(state.unet_samples(steps, blocks) as u64);
    state.complete(&mut evaluator, &mut |state| {
        bar.set_position(state.unet_samples(steps, blocks) as u64);
        Ok(saved.write_at_times(state)?)
    })?;
    saved.write(&state)?;
    bar.finish_and_clear();
    let labels = block_labels(&pipeline.unet().config().blocks());
    let blocks = labels.clone();
    let subject = Subject { facts: facts.clone(), steps: evaluator.levels(), blocks };
    let (report, weights) = FitReport::new(subject, &state)?;
    write_atomically(args.out.join(RESULT), report.to_json()?)?;
    let about = About::measured(&facts, &labels, Some(evaluator.levels()), None);
    let schedule =
        document(weights.weights, "least squares on pictures".into(), about).to_toml()?;
    write_atomically(args.out.join(SCHEDULE), sealed(&schedule))?;
    if args.json {
        return terminal::json(&serde_json::to_value(&report)?);
    }
    print::report(&report)?;
    terminal::line(format_args!("written to {}", args.out.display()))
}
