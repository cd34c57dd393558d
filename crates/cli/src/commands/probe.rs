//! `probe`: which blocks matter, and when.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use files::write_atomically;
use probe::{
    CounterDraws, PerStep, ProbeConfig, ProbeError, ProbeState, UNetEvaluator, Vote,
    bootstrap_scores, heatmap_svg, kendalls_w, search, vote,
};
use serde_json::json;

use crate::commands::progress_bar;
use crate::failure::{OrUsage, usage};
use crate::options::{ModelOptions, SamplingOptions, count, facts};
use crate::outputs::{Kind, OutputOptions, Outputs};
use crate::terminal;

/// Names of the result, its table and its drawing.
const RESULT: &str = "probe.json";
const TABLE: &str = "importance.csv";
const DRAWING: &str = "importance.svg";

/// Arguments of `probe`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight probe \"a red apple\" --steps 4 --out probe\n  \
                        unet-reweight probe \"a red apple\" --preset reference --rounds 5"
)]
pub struct ProbeArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// `paper` or `reference` (as the published code does it).
    #[arg(long, default_value = "paper")]
    preset: String,
    /// Independent runs that vote.
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    rounds: Option<usize>,
    /// Epochs of each run.
    #[arg(long, value_parser = count())]
    epochs: Option<usize>,
    /// Perturbed weight sets tried per step and epoch.
    #[arg(long, value_parser = count())]
    candidates: Option<usize>,
    /// Loss tolerance of the first and the last step.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tolerance: Option<Vec<f64>>,
    /// Seed of the probe's own draws.
    #[arg(long, default_value_t = 42)]
    probe_seed: u64,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for `probe.json`, `importance.csv`, `importance.svg`, and the state an interrupted
    /// probe resumes from.
    #[arg(long, default_value = "probe")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl ProbeArgs {
    fn config(&self) -> anyhow::Result<ProbeConfig> {
        let mut config = match self.preset.as_str() {
            "paper" => ProbeConfig::paper(),
            "reference" => ProbeConfig::reference(),
            other => {
                return Err(usage(format_args!(
                    "expected the preset `paper` or `reference`, found `{other}`"
                )));
            }
        };
        config.rounds = self.rounds.unwrap_or(config.rounds);
        config.epochs = self.epochs.unwrap_or(config.epochs);
        config.candidates = self.candidates.unwrap_or(config.candidates);
        match self.tolerance.as_deref() {
            None => {}
            Some([start, end]) => {
                config.loss_tolerance = PerStep::Linear { start: *start, end: *end };
            }
            Some(other) => {
                let count = other.len();
                return Err(usage(format_args!(
                    "expected two tolerances `first,last`, found {count}"
                )));
            }
        }
        config.seed = self.probe_seed;
        Ok(config)
    }
}

pub fn run(args: ProbeArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::ProbeResult)
        .with(args.out.join(TABLE), Kind::ProbeTable)
        .with(args.out.join(DRAWING), Kind::ProbeDrawing);
    let inputs = [args.sampling.noise_file(), args.model.file()];
    outputs.check(inputs.into_iter().flatten(), &args.output)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    let (steps, blocks) = (generation.calls()?, pipeline.unet().config().num_attention_blocks());
    config.check(steps).or_usage()?;
    let request = pipeline.request(&generation, 0..generation.samples())?;
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = pipeline.fingerprint()?.into();
    let mut evaluator = UNetEvaluator::new(&pipeline, &[request], args.unet_batch)?;
    let mut draws = CounterDraws::new(config.seed);
    let state_path = args.out.join("state.json");
    let mut state = match saved(&state_path, &facts)? {
        Some(state) => {
            state
                .check_continues(&config, steps, blocks)
                .with_context(|| format!("`{}`; remove it to begin anew", state_path.display()))?;
            state
        }
        None => ProbeState::new(&config, steps, blocks, &mut draws)?,
    };
    let bar = progress_bar((config.epochs * steps) as u64, "probing");
    search(
        &mut state,
        &mut evaluator,
        &mut draws,
        &mut |progress| bar.set_position(progress.done as u64),
        &mut |state| {
            let text = json!({ "facts": facts, "state": state }).to_string();
            write_atomically(&state_path, text.as_bytes()).map_err(|error| {
                ProbeError::Interrupted { epoch: state.epoch, reason: error.to_string() }
            })
        },
    )?;
    bar.finish_and_clear();
    report(&args.out, args.json, &state, facts, &pipeline)
}

/// The state of an interrupted probe of the same prompt, seeds, steps and model.
fn saved(path: &PathBuf, facts: &serde_json::Value) -> anyhow::Result<Option<ProbeState>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    let mut saved: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    if saved["facts"] != *facts {
        bail!("`{}` is of another probe; choose another --out", path.display());
    }
    Ok(Some(serde_json::from_value(saved["state"].take())?))
}

fn report(
    out: &Path,
    as_json: bool,
    state: &ProbeState,
    facts: serde_json::Value,
    pipeline: &pipeline::Pipeline,
) -> anyhow::Result<()> {
    let vote: Vote = vote(&state.thresholds(), state.config.seed);
    let importance = vote.importance()?;
    let intervals = bootstrap_scores(&vote, 2000, state.config.seed);
    let concordance = kendalls_w(&vote);
    let table = pipeline.unet().config().blocks();
    let labels: Vec<String> =
        table.iter().map(|block| format!("{} {}", block.site.index, block.path)).collect();
    let accepted: Vec<[usize; 2]> = state.rounds.iter().map(|round| round.accepted).collect();
    let result = json!({
        "facts": facts,
        "config": state.config,
        "blocks": labels,
        "importance": importance,
        "intervals": intervals,
        "ranking": vote.ranking,
        "kendalls_w": concordance,
        "ties": vote.ties,
        "scores": vote.scores,
        "accepted_of_tried": accepted,
        "thresholds": state.thresholds(),
    });
    let mut csv = String::from("step,block,path,importance,low,high\n");
    for (step, row) in importance.matrix().rows().enumerate() {
        for (block, score) in row.iter().enumerate() {
            let interval = intervals[step][block];
            csv += &format!(
                "{step},{block},{},{score},{},{}\n",
                table[block].path, interval.low, interval.high
            );
        }
    }
    write_atomically(&out.join(RESULT), &serde_json::to_vec_pretty(&result)?)?;
    write_atomically(&out.join(TABLE), csv.as_bytes())?;
    let svg = heatmap_svg(&importance, &labels);
    write_atomically(&out.join(DRAWING), svg.as_bytes())?;
    if as_json {
        return terminal::json(&result);
    }
    terminal::line("importance (0 to 1) of each block; last column: the rounds' agreement")?;
    terminal::line(format_args!("{:>8} {} {:>7}", "", labels.join("  "), "W"))?;
    for (step, row) in importance.matrix().rows().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&labels)
            .map(|(score, label)| format!("{score:>width$.3}", width = label.len()))
            .collect();
        let (cells, agreement) = (cells.join("  "), concordance[step]);
        terminal::line(format_args!("step {step:>3} {cells} {agreement:>7.2}"))?;
    }
    for (step, order) in vote.ranking.iter().enumerate() {
        let order: Vec<String> = order.iter().map(usize::to_string).collect();
        let order = order.join(" ");
        terminal::line(format_args!("step {step}: least to most important {order}"))?;
    }
    terminal::line(format_args!("written to {}", out.display()))
}
