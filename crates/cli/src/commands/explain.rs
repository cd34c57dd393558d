//! `explain`: one page on what each block does for a prompt.

use std::path::PathBuf;

use clap::Args;
use explain::{Plan, Question};
use probe::ProbeConfig;
use serde_json::json;

use crate::commands::{progress_bar, scorer};
use crate::facts::facts;
use crate::failure::OrUsage;
use crate::options::{ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Picture seeds where none are given.
const SEEDS: [u64; 2] = [42, 43];

/// Arguments of `explain`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  unet-reweight explain \"a red apple\" --out apple\n\n\
                  Then open apple/index.html in a browser; it needs no server.",
    mut_arg("seeds", |arg| arg.help("Seeds of the pictures [default: 42,43]"))
)]
pub struct ExplainArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// Folder of the scorer, in open_clip's layout [default: the shipped scorer `emoji-clip`].
    #[arg(long)]
    scorer: Option<PathBuf>,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for the page `index.html`, `explain.json`, the full pictures, and the state an
    /// interrupted run resumes from.
    #[arg(long, default_value = "explain")]
    out: PathBuf,
    /// Show the paper's vote, too, by its search on derivatives and skip sets (as `probe --fast`).
    #[arg(long)]
    vote: bool,
    /// Say what it would take, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

pub fn run(args: ExplainArgs) -> anyhow::Result<()> {
    let outputs = Outputs::new()
        .with(args.out.join("index.html"), Kind::Page)
        .with(args.out.join("explain.json"), Kind::Explanation);
    let inputs = args.sampling.noise_file().into_iter().chain(args.model.files());
    outputs.check(inputs, &args.output)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.or_seeds(&SEEDS).resolve(&pipeline)?;
    let (dtype, device) = (pipeline.precision().into(), pipeline.device().clone());
    let scorer = scorer::clip(args.scorer.as_deref(), (device, dtype))?;
    let sha256 = pipeline.fingerprint()?;
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = sha256.as_str().into();
    facts["scorer"] = scorer.fingerprint().into();
    if args.vote {
        ProbeConfig::paper().check(generation.calls()?).or_usage()?;
    }
    let question = Question {
        pipeline: &pipeline,
        generation: &generation,
        scorer: Some(&scorer),
        facts,
        model_sha256: &sha256,
        source: args.model.source(&pipeline),
        vote: args.vote.then(ProbeConfig::paper),
        unet_batch: args.unet_batch,
        out: &args.out,
    };
    let pictures = question.picture_files()?.into_iter();
    let pictures = pictures.fold(Outputs::new(), |all, path| all.with(path, Kind::Picture));
    pictures.check([], &args.output)?;
    let Plan { unet_samples, pictures } = question.plan()?;
    if args.dry_run {
        return match args.json {
            true => terminal::json(&json!(question.plan()?)),
            false => terminal::line(format_args!(
                "{}{unet_samples} samples of the U-Net and {pictures} pictures; nothing was done",
                if args.vote { "at least " } else { "" }
            )),
        };
    }
    let bar = progress_bar(unet_samples as u64, "explaining");
    let answer = question.answer(&mut |progress| bar.set_position(progress.done as u64))?;
    bar.finish_and_clear();
    if args.json {
        return terminal::json(&serde_json::to_value(&answer)?);
    }
    answer.summary.iter().try_for_each(terminal::line)?;
    terminal::line(format_args!("written to {}", args.out.join("index.html").display()))
}
