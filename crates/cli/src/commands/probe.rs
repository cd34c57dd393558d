//! `probe`: which blocks matter, and when, by the paper's search and vote.

use std::path::{Path, PathBuf};

use charts::heatmap_svg;
use clap::Args;
use files::write_atomically;
use probe::{Agreement, ProbeReport, UNetEvaluator};

use super::search::SearchOptions;
use super::table::{chance_in_words, print_scores};
use crate::facts::facts;
use crate::failure::OrUsage;
use crate::options::{ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Names of the result, its table and its drawing.
const RESULT: &str = "probe.json";
const TABLE: &str = "importance.csv";
const DRAWING: &str = "importance.svg";

/// Arguments of `probe`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight probe \"a red apple\" --steps 4 --out probe\n  \
                        unet-reweight probe \"a red apple\" --preset reference --rounds 5\n\n\
                        `unet-reweight importance` asks the same in cheaper and better ways."
)]
pub struct ProbeArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    search: SearchOptions,
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

pub fn run(args: ProbeArgs) -> anyhow::Result<()> {
    let config = args.search.config()?;
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::ProbeResult)
        .with(args.out.join(TABLE), Kind::ProbeTable)
        .with(args.out.join(DRAWING), Kind::ProbeDrawing);
    let inputs = args.sampling.noise_file().into_iter().chain(args.model.files());
    outputs.check(inputs, &args.output)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    config.check(generation.calls()?).or_usage()?;
    let request = pipeline.request(&generation, 0..generation.samples())?;
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = pipeline.fingerprint()?.into();
    args.search.add_to(&mut facts);
    let mut evaluator = UNetEvaluator::new(&pipeline, &[request], args.unet_batch)?;
    let state = args.out.join("state.json");
    let (state, _) = args.search.run(&config, &mut evaluator, &facts, &state)?;
    let blocks = pipeline.unet().config().blocks();
    report(&args.out, args.json, &ProbeReport::new(facts, &state, &blocks)?)
}

fn report(out: &Path, as_json: bool, report: &ProbeReport) -> anyhow::Result<()> {
    let (json, importance) = (report.to_json()?, report.importance.matrix());
    write_atomically(out.join(RESULT), json.as_bytes())?;
    write_atomically(out.join(TABLE), report.to_csv().as_bytes())?;
    let grey = Agreement::steps_of_chance(&report.agreement);
    let svg = heatmap_svg(importance.rows(), &report.blocks, &grey);
    write_atomically(out.join(DRAWING), svg.as_bytes())?;
    if as_json {
        return terminal::json(&serde_json::to_value(report)?);
    }
    terminal::line("importance (0 to 1) of each block; then the rounds' agreement")?;
    print_scores(importance, &report.blocks, &report.ranking, Some(&report.agreement))?;
    terminal::line(chance_in_words(&report.agreement))?;
    terminal::line(format_args!("written to {}", out.display()))
}
