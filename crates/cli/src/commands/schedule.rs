//! `schedule`: block weights from measured importance or by rule.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pipeline::PipelineConfigs;
use probe::ReadScores;
use reweight::{BlockWeights, Schedule, WeightRange};
use unet_core::UNet2DConditionConfig;

use super::document::{About, document};
use crate::commands::skip::{self, SkipOptions};
use crate::failure::{OrUsage, usage};
use crate::options::{default_model, steps};
use crate::outputs::{Kind as OutputKind, OutputOptions, Outputs};

/// Arguments of `schedule`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight schedule importance --probe probe/probe.json --low \
                        0.98 --high 1.1\n  unet-reweight schedule static --block 3 --weight 1.1 \
                        --steps 20\n  unet-reweight schedule empirical --steps 20\n  \
                        unet-reweight schedule skip --map importance.json --budget 0.8 --reuse \
                        --out schedule.toml"
)]
pub struct ScheduleArgs {
    /// Kind of schedule.
    #[arg(value_enum)]
    kind: Kind,
    /// Result of `importance` or `probe` (importance, inverted); of `importance --method masks` or
    /// `--method skip` (skip).
    #[arg(long, visible_alias = "map")]
    probe: Option<PathBuf>,
    /// Lower end of the weights (importance, inverted, empirical) [default: 0.98].
    #[arg(long, allow_negative_numbers = true)]
    low: Option<f64>,
    /// Upper end of the weights (importance, inverted, empirical) [default: 1.1].
    #[arg(long, allow_negative_numbers = true)]
    high: Option<f64>,
    /// Block to raise (static) [default: 0].
    #[arg(long)]
    block: Option<usize>,
    /// Its weight (static) [default: 1.1].
    #[arg(long, allow_negative_numbers = true)]
    weight: Option<f64>,
    /// Inference steps (static, empirical) [default: 20].
    #[arg(long, value_parser = steps())]
    steps: Option<usize>,
    #[command(flatten)]
    skip: SkipOptions,
    /// Model that says which blocks there are (static, empirical, skip): preset, downloaded or not,
    /// folder of a diffusers pipeline, or checkpoint in one file [default: the shipped model].
    #[arg(long)]
    model: Option<String>,
    /// File to write, `.toml` or `.json`; standard output where absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write JSON instead of TOML, as in files whose name ends in `.json`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// One block raised at every step.
    Static,
    /// Weights that grow with importance (Eq. 7).
    Importance,
    /// Weights that fall with importance (Eq. 8).
    Inverted,
    /// By rule, without a probe (Sec. III-F).
    Empirical,
    /// Weights of 1, and blocks that do not run, so that a picture costs less.
    Skip,
}

impl ScheduleArgs {
    /// Whether every option given is one that this kind of schedule reads.
    fn check_read(&self) -> anyhow::Result<()> {
        let (fixed, ruled) = (self.kind == Kind::Static, self.kind == Kind::Empirical);
        let skips = self.kind == Kind::Skip;
        let probed = !fixed && !ruled && !skips;
        let skip = self.skip.given().into_iter().map(|(option, given)| (option, given, skips));
        for (option, given, read) in skip.into_iter().chain([
            ("--probe", self.probe.is_some(), probed || skips),
            ("--low", self.low.is_some(), probed || ruled),
            ("--high", self.high.is_some(), probed || ruled),
            ("--block", self.block.is_some(), fixed),
            ("--weight", self.weight.is_some(), fixed),
            ("--steps", self.steps.is_some(), fixed || ruled),
            ("--model", self.model.is_some(), !probed),
        ]) {
            if given && !read {
                let name = self.kind.to_possible_value();
                let name = name.as_ref().map_or("", |name| name.get_name());
                return Err(usage(format_args!("{option} means nothing to `schedule {name}`")));
            }
        }
        Ok(())
    }

    /// Whether JSON is written: what a file's name says, as it is read by its name.
    fn writes_json(&self) -> anyhow::Result<bool> {
        let Some(path) = &self.out else { return Ok(self.json) };
        let name = path.display();
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => Ok(true),
            Some("toml") if !self.json => Ok(false),
            Some("toml") => Err(usage(format_args!(
                "--json writes JSON, and `{name}` would be read as TOML: let its name end in `.json`"
            ))),
            _ => Err(usage(format_args!(
                "expected a schedule's name to end in `.toml` or `.json`, found `{name}`"
            ))),
        }
    }

    /// The model's U-Net; a folder needs no more than `unet/config.json`.
    fn unet(&self) -> anyhow::Result<UNet2DConditionConfig> {
        let model = self.model.clone().map_or_else(default_model, Ok)?;
        let file = unet_file(&model);
        if file.is_file() {
            return Ok(UNet2DConditionConfig::from_file(file)?);
        }
        Ok(PipelineConfigs::open(&model, None)?.unet)
    }

    /// The files that are read.
    fn inputs(&self) -> Vec<PathBuf> {
        let model = self.model.iter().flat_map(|model| [model.into(), unet_file(model)]);
        let loras = self.skip.lora_files().map(Path::to_path_buf);
        self.probe.iter().cloned().chain(model).chain(loras).collect()
    }
}

pub fn run(args: ScheduleArgs) -> anyhow::Result<()> {
    args.check_read()?;
    let writes_json = args.writes_json()?;
    let range = WeightRange::new(args.low.unwrap_or(0.98), args.high.unwrap_or(1.1)).or_usage()?;
    if let Some(path) = &args.out {
        let outputs = Outputs::new().with(path, OutputKind::Schedule);
        outputs.check(args.inputs().iter().map(PathBuf::as_path), &args.output)?;
    }
    let steps = args.steps.unwrap_or(20);
    let schedule = schedule(&args, steps, range)?;
    let text =
        if writes_json { serde_json::to_string_pretty(&schedule)? } else { schedule.to_toml()? };
    match args.out {
        Some(path) => Ok(files::write_atomically(path, text)?),
        None => terminal::line(text),
    }
}

/// The U-Net's configuration, where a model is a folder.
fn unet_file(model: &str) -> PathBuf {
    Path::new(model).join("unet/config.json")
}

/// The schedule, with all that is known of it.
fn schedule(args: &ScheduleArgs, steps: usize, range: WeightRange) -> anyhow::Result<Schedule> {
    let ends = format!("[{}, {}]", range.low(), range.high());
    Ok(match args.kind {
        Kind::Static => {
            let blocks = args.unet()?.blocks();
            let (block, weight) = (args.block.unwrap_or(0), args.weight.unwrap_or(1.1));
            let weights = BlockWeights::static_block(steps, blocks.len(), block, weight);
            let method = format!("block {block} at {weight}");
            document(weights.or_usage()?, method, About::blocks(&blocks))
        }
        Kind::Empirical => {
            let blocks = args.unet()?.blocks();
            let weights = BlockWeights::empirical(&blocks, steps, range);
            document(weights, format!("by rule, weights in {ends}"), About::blocks(&blocks))
        }
        Kind::Importance | Kind::Inverted => {
            let read = scores(args)?;
            let (weights, what) = match args.kind {
                Kind::Inverted => {
                    (BlockWeights::inverted(&read.scores, range), "inverted importance")
                }
                _ => (BlockWeights::importance(&read.scores, range), "importance"),
            };
            let method = read.method.name();
            document(
                weights,
                format!("{what} by {method}, weights in {ends}"),
                About::scores(&read),
            )
        }
        Kind::Skip => {
            let model = args.model.as_deref();
            let (weights, map) = skip::weights(&args.skip, args.probe.as_deref(), model)?;
            let (method, budget) = (map.method.name(), args.skip.budget());
            let reuse = if args.skip.reuses() { ", residuals reused" } else { "" };
            document(
                weights,
                format!("skips by {method} within {budget} of the cost{reuse}"),
                About::map(&map),
            )
        }
    })
}

fn scores(args: &ScheduleArgs) -> anyhow::Result<ReadScores> {
    let Some(path) = &args.probe else {
        return Err(usage(
            "this kind of schedule needs --probe, the result of `unet-reweight importance` or \
             `unet-reweight probe`",
        ));
    };
    Ok(ReadScores::read(path)?)
}
