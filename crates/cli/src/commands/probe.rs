//! `probe`: which blocks matter, and when.

use std::path::{Path, PathBuf};

use anyhow::Context;
use charts::heatmap_svg;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use files::write_atomically;
use probe::{
    CounterDraws, PerStep, ProbeConfig, ProbeError, ProbeReport, ProbeState, UNetEvaluator, search,
};

use crate::commands::progress_bar;
use crate::commands::saved::SavedState;
use crate::failure::{OrUsage, usage};
use crate::options::{ModelOptions, SamplingOptions, count, facts};
use crate::outputs::{Kind, OutputOptions, Outputs};

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
    let saved = SavedState::new(&args.out, &facts);
    let mut state = match saved.read::<ProbeState>()? {
        Some(state) => {
            state.check_continues(&config, steps, blocks).with_context(|| saved.begin_anew())?;
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
            saved.write(state).map_err(|error| ProbeError::Interrupted {
                epoch: state.epoch,
                reason: error.to_string(),
            })
        },
    )?;
    bar.finish_and_clear();
    let blocks = pipeline.unet().config().blocks();
    report(&args.out, args.json, &ProbeReport::new(facts, &state, &blocks)?)
}

fn report(out: &Path, as_json: bool, report: &ProbeReport) -> anyhow::Result<()> {
    let (json, importance) = (report.to_json()?, report.importance.matrix());
    write_atomically(out.join(RESULT), json.as_bytes())?;
    write_atomically(out.join(TABLE), report.to_csv().as_bytes())?;
    let svg = heatmap_svg(importance.rows(), &report.blocks);
    write_atomically(out.join(DRAWING), svg.as_bytes())?;
    if as_json {
        return terminal::json(&serde_json::to_value(report)?);
    }
    terminal::line("importance (0 to 1) of each block; last column: the rounds' agreement")?;
    terminal::line(format_args!("{:>8} {} {:>7}", "", report.blocks.join("  "), "W"))?;
    for (step, row) in importance.rows().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&report.blocks)
            .map(|(score, label)| format!("{score:>width$.3}", width = label.len()))
            .collect();
        let (cells, agreement) = (cells.join("  "), report.kendalls_w[step]);
        terminal::line(format_args!("step {step:>3} {cells} {agreement:>7.2}"))?;
    }
    for (step, order) in report.ranking.rows().enumerate() {
        let order: Vec<String> = order.iter().map(usize::to_string).collect();
        let order = order.join(" ");
        terminal::line(format_args!("step {step}: least to most important {order}"))?;
    }
    terminal::line(format_args!("written to {}", out.display()))
}
