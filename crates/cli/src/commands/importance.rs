//! `importance`: which blocks matter, and when, by the method that is asked for.

use std::path::{Path, PathBuf};
use std::time::Instant;

use charts::heatmap_svg;
use clap::{Args, ValueEnum};
use files::write_atomically;
use pipeline::{Generation, Pipeline};
use probe::{
    Cost, Details, Estimates, Estimator, ImportanceMap, ImportanceMethod, Subject, UNetEvaluator,
    block_labels,
};
use serde_json::Value;

use super::saved::SavedState;
use super::search::SearchOptions;
use super::table::{chance_in_words, print_scores};
use crate::commands::progress_bar;
use crate::facts::facts;
use crate::failure::OrUsage;
use crate::options::{ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Names of the result, its table and its drawing.
const RESULT: &str = "importance.json";
const TABLE: &str = "importance.csv";
const DRAWING: &str = "importance.svg";
/// Noise seeds of the cheap methods where none are given.
const SEEDS: [u64; 5] = [42, 43, 44, 45, 46];

/// Arguments of `importance`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight importance \"a red apple\"\n  \
                        unet-reweight importance \"a red apple\" --method vote --fast --rounds 1000\n  \
                        unet-reweight schedule importance --map importance/importance.json",
    mut_arg("seeds", |arg| arg.help(
        "Noise seeds, which intervals are over [default: 42 to 46; of the vote 42, in one batch]"
    ))
)]
pub struct ImportanceArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// How importance is measured.
    #[arg(long, value_enum, default_value = "derivative")]
    method: Method,
    #[command(flatten)]
    search: SearchOptions,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for `importance.json`, `importance.csv`, `importance.svg`, and the state an
    /// interrupted run resumes from.
    #[arg(long, default_value = "importance")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// How much the prediction moves with the block's weight: one U-Net sample a block and step.
    Derivative,
    /// How much the prediction changes where the block is skipped: as cheap.
    Skip,
    /// Shapley values over all sets of skipped blocks, and the best set of every size: 2^m samples
    /// a step.
    Masks,
    /// The paper's randomised search and vote; on the shipped model it ranks the blocks against
    /// their measured effects.
    Vote,
}

impl Method {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
    }
}

pub fn run(args: ImportanceArgs) -> anyhow::Result<()> {
    let start = Instant::now();
    let (estimator, default) = match args.method {
        Method::Derivative => (Some(Estimator::Derivative), &SEEDS[..]),
        Method::Skip => (Some(Estimator::Skip), &SEEDS[..]),
        Method::Masks => (Some(Estimator::Masks), &SEEDS[..]),
        Method::Vote => (None, &SEEDS[..1]),
    };
    if estimator.is_some() {
        args.search.check_unused(&args.method.name())?;
    }
    let config = args.search.config()?;
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::ProbeResult)
        .with(args.out.join(TABLE), Kind::ProbeTable)
        .with(args.out.join(DRAWING), Kind::ProbeDrawing);
    let inputs = args.sampling.noise_file().into_iter().chain(args.model.files());
    outputs.check(inputs, &args.output)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.or_seeds(default).resolve(&pipeline)?;
    let (steps, blocks) = (generation.calls()?, pipeline.unet().config().blocks());
    match estimator {
        Some(estimator) => estimator.check(blocks.len()).or_usage()?,
        None => config.check(steps).or_usage()?,
    }
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = pipeline.fingerprint()?.into();
    facts["model"] = pipeline.name().into();
    facts["method"] = args.method.name().into();
    args.search.add_to(&mut facts);
    let state_path = args.out.join("state.json");
    let mut evaluator = evaluator(&pipeline, &generation, estimator.is_none(), args.unet_batch)?;
    let levels = evaluator.levels();
    let subject = |facts: Value| Subject { facts, steps: levels, blocks: block_labels(&blocks) };
    // What an uninterrupted run takes, so that the result does not depend on interruptions.
    let cost = |unet_samples: usize| Cost { unet_samples, seconds: start.elapsed().as_secs_f64() };
    let map = match estimator {
        Some(estimator) => {
            let estimates = estimate(estimator, &mut evaluator, &facts, &state_path)?;
            let predictions = evaluator.inputs() * steps * estimator.predictions(blocks.len());
            ImportanceMap::from_estimates(subject(facts), estimates, cost(predictions))?
        }
        None => {
            let (state, samples) = args.search.run(&config, &mut evaluator, &facts, &state_path)?;
            ImportanceMap::from_search(subject(facts), &state, cost(samples))?
        }
    };
    report(&args.out, args.json, &map)
}

/// The vote compares all samples at once, the other methods seed by seed.
fn evaluator<'a>(
    pipeline: &'a Pipeline,
    generation: &Generation,
    together: bool,
    unet_batch: usize,
) -> anyhow::Result<UNetEvaluator<'a>> {
    let samples = generation.samples();
    let each = if together { samples } else { 1 };
    let batches = (0..samples)
        .step_by(each)
        .map(|first| pipeline.request(generation, first..first + each))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(UNetEvaluator::new(pipeline, &batches, unet_batch)?)
}

/// Measures what is left, step by step.
fn estimate(
    estimator: Estimator,
    evaluator: &mut UNetEvaluator<'_>,
    facts: &Value,
    state_path: &Path,
) -> anyhow::Result<Estimates> {
    let steps = evaluator.levels().len();
    let saved = SavedState::new(state_path, facts);
    let mut estimates = saved.read()?.unwrap_or_else(|| Estimates::new(estimator));
    let bar = progress_bar(steps as u64, "measuring");
    estimates.complete(evaluator, &mut |state| {
        bar.set_position(state.measured.len() as u64);
        Ok(saved.write_at_times(state)?)
    })?;
    saved.write(&estimates)?;
    bar.finish_and_clear();
    Ok(estimates)
}

fn report(out: &Path, as_json: bool, map: &ImportanceMap) -> anyhow::Result<()> {
    let scores = map.scores.matrix();
    write_atomically(out.join(RESULT), map.to_json()?.as_bytes())?;
    write_atomically(out.join(TABLE), map.to_csv().as_bytes())?;
    let svg = heatmap_svg(scores.rows(), &map.blocks, &map.steps_of_chance());
    write_atomically(out.join(DRAWING), svg.as_bytes())?;
    if as_json {
        return terminal::json(&serde_json::to_value(map)?);
    }
    let agreement = match &map.details {
        Details::Vote { agreement, .. } => Some(&agreement[..]),
        _ => None,
    };
    terminal::line(match map.method {
        ImportanceMethod::Derivative => {
            "importance (0 to 1) by how much the prediction moves with each block's weight"
        }
        ImportanceMethod::Skip => {
            "importance (0 to 1) by how much the prediction changes where each block is skipped"
        }
        ImportanceMethod::Masks => {
            "importance (0 to 1) by the Shapley values of all sets of skipped blocks"
        }
        ImportanceMethod::Vote => {
            "importance (0 to 1) by the paper's vote; then the rounds' agreement"
        }
    })?;
    print_scores(scores, &map.blocks, &map.ranking, agreement)?;
    if let Some(agreement) = agreement {
        terminal::line(chance_in_words(agreement))?;
    }
    if let Some(width) = map.interval_width() {
        terminal::line(format_args!("95 % intervals of the scores: {width:.3} wide in the mean"))?;
    }
    let Cost { unet_samples, seconds } = map.cost;
    terminal::line(format_args!("{unet_samples} samples of the U-Net, {seconds:.1} s"))?;
    terminal::line(format_args!("written to {}", out.display()))
}
