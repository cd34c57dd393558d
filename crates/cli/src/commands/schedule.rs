use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use pipeline::write_atomically;
use reweight::{BlockWeights, ImportanceScores, Policy, WeightRange};
use unet_core::UNet2DConditionConfig;

/// Arguments of `schedule`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight schedule importance --probe probe/probe.json --low \
                        0.98 --high 1.1\n  unet-reweight schedule static --block 3 --weight 1.1 \
                        --steps 20\n  unet-reweight schedule empirical --steps 20"
)]
pub struct ScheduleArgs {
    /// Kind of schedule.
    #[arg(value_enum)]
    kind: Kind,
    /// Result of `probe` (importance, inverted).
    #[arg(long)]
    probe: Option<PathBuf>,
    /// Lower end of the weights.
    #[arg(long, default_value_t = 0.98)]
    low: f64,
    /// Upper end of the weights.
    #[arg(long, default_value_t = 1.1)]
    high: f64,
    /// Block to raise (static).
    #[arg(long, default_value_t = 0)]
    block: usize,
    /// Its weight (static).
    #[arg(long, default_value_t = 1.1)]
    weight: f64,
    /// Inference steps (static, empirical).
    #[arg(long, default_value_t = 20)]
    steps: usize,
    /// Pipeline folder that says which blocks there are (static, empirical).
    #[arg(long, default_value = "models/emoji-sd")]
    model: PathBuf,
    /// File to write; standard output where absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write JSON instead of TOML.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// One block raised at every step.
    Static,
    /// Weights that grow with importance (Eq. 7).
    Importance,
    /// Weights that fall with importance (Eq. 8).
    Inverted,
    /// By rule, without a probe (Sec. III-F).
    Empirical,
}

pub fn run(args: ScheduleArgs) -> anyhow::Result<()> {
    if args.steps == 0 {
        bail!("expected at least one step, found 0");
    }
    let range = WeightRange::new(args.low, args.high)?;
    let config = || UNet2DConditionConfig::from_file(args.model.join("unet/config.json"));
    let weights = match args.kind {
        Kind::Static => {
            let blocks = config()?.num_attention_blocks();
            BlockWeights::static_block(args.steps, blocks, args.block, args.weight)?
        }
        Kind::Empirical => BlockWeights::empirical(&config()?.blocks(), args.steps, range),
        Kind::Importance => BlockWeights::importance(&scores(&args)?, range),
        Kind::Inverted => BlockWeights::inverted(&scores(&args)?, range),
    };
    let policy = Policy::from(weights);
    let text = if args.json { serde_json::to_string_pretty(&policy)? } else { policy.to_toml()? };
    match args.out {
        Some(path) => write_atomically(&path, text.as_bytes())?,
        None => println!("{text}"),
    }
    Ok(())
}

fn scores(args: &ScheduleArgs) -> anyhow::Result<ImportanceScores> {
    let Some(path) = &args.probe else {
        bail!("this kind of schedule needs --probe, the result of `unet-reweight probe`");
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    let mut probe: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    serde_json::from_value(probe["importance"].take())
        .with_context(|| format!("`{}`: expected `importance`, a matrix of scores", path.display()))
}
