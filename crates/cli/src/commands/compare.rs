//! `compare`: vanilla, re-weighted and FreeU pictures side by side.

use std::path::PathBuf;

use clap::Args;
use pictures::RgbImage;
use reweight::{FreeU, Policy};
use serde_json::json;
use unet_core::UNet2DConditionConfig;

use crate::commands::applied::AppliedOptions;
use crate::commands::sample;
use crate::failure::{OrUsage, usage};
use crate::options::{BatchOptions, ModelOptions, SamplingOptions};
use crate::outputs::{OutputOptions, Outputs};

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = "Example:\n  unet-reweight compare \"a cartoon of a lion\" --weights \
                        schedule.toml --seeds 1,2,3 --out grid.png")]
pub struct CompareArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    batch: BatchOptions,
    /// Schedule file (TOML, JSON, or the authors' YAML).
    #[arg(long)]
    weights: PathBuf,
    #[command(flatten)]
    applied: AppliedOptions,
    /// FreeU's factors b1,b2,s1,s2 [default: those published for the model's family].
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    freeu: Option<Vec<f64>>,
    /// Picture the grid is written to: a row per seed; vanilla, re-weighted, FreeU.
    #[arg(long, default_value = "compare.png")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl CompareArgs {
    /// FreeU with the factors that are given, if any are.
    fn given_freeu(&self) -> anyhow::Result<Option<FreeU>> {
        let Some(factors) = &self.freeu else { return Ok(None) };
        let [b1, b2, s1, s2] = factors[..] else {
            let count = factors.len();
            return Err(usage(format_args!("expected four FreeU factors, found {count}")));
        };
        let freeu = FreeU::constant(b1, b2, s1, s2);
        freeu.check().or_usage()?;
        Ok(Some(freeu))
    }
}

/// The factors that FreeU's authors publish for the family of a model, and where they are from. Models
/// of none of them are compared with those of SD 2.1; the turbo models have their base models'.
fn published_freeu(config: &UNet2DConditionConfig) -> (FreeU, &'static str) {
    /// Width of the text that SD 1.x attends to.
    const SD1_WIDTH: usize = 768;
    if config.addition_embed.is_some() {
        (FreeU::SDXL, "published for SDXL")
    } else if config.cross_attention_dim == SD1_WIDTH {
        (FreeU::SD15, "published for SD 1.5")
    } else {
        (FreeU::SD21, "published for SD 2.1")
    }
}

pub fn run(args: CompareArgs) -> anyhow::Result<()> {
    let given = args.given_freeu()?;
    let inputs = [Some(args.weights.as_path()), args.sampling.noise_file()].into_iter().flatten();
    let outputs = Outputs::new().with_picture(&args.out);
    outputs.check(inputs.chain(args.model.files()), &args.output)?;
    let pipeline = args.model.load()?;
    let (freeu, origin) = match given {
        Some(freeu) => (freeu, "given"),
        None => published_freeu(pipeline.unet().config()),
    };
    let FreeU { b1, b2, s1, s2, .. } = freeu;
    let generation = args.sampling.in_batches(&args.batch).resolve(&pipeline)?;
    let weights = args.applied.policy(Some(&args.weights), &generation, &pipeline)?;
    let policies = [("vanilla", Policy::default()), ("weighted", weights), ("FreeU", freeu.into())];
    let mut columns = policies.each_ref().map(|_| Vec::new());
    for samples in generation.batches() {
        let request = pipeline.request(&generation, samples)?;
        for ((name, policy), column) in policies.iter().zip(&mut columns) {
            let latents = sample(&pipeline, &request, None, policy, name)?;
            column.extend(pipeline.pictures(latents)?);
        }
    }
    let grid = grid(&columns);
    let sha256 = pipeline.fingerprint()?;
    let names = policies.each_ref().map(|(name, _)| *name);
    let labels = [
        "vanilla".to_string(),
        format!("weighted: {}", args.weights.display()),
        format!("FreeU: b1 {b1}, b2 {b2}, s1 {s1}, s2 {s2} ({origin})"),
    ];
    let policies = policies.each_ref().map(|(_, policy)| policy);
    let seeds = &generation.noise.seeds;
    let intervention = json!({ "columns": names, "labels": labels, "policies": policies,
                               "seeds": seeds });
    let record = pipeline.record(&generation, &sha256, seeds[0], intervention);
    record.save(&grid, &args.out)?;
    if args.json {
        return terminal::json(&json!({ "grid": args.out, "columns": names, "labels": labels,
                                       "seeds": seeds }));
    }
    terminal::line(args.out.display())?;
    for (column, label) in labels.iter().enumerate() {
        terminal::line(format_args!("column {}: {label}", column + 1))?;
    }
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    terminal::line(format_args!("rows: seeds {}", seeds.join(", ")))
}

/// Pictures of one size: a column per policy, a row per seed.
fn grid(columns: &[Vec<RgbImage>]) -> RgbImage {
    let first = columns.first().and_then(|column| column.first());
    let (width, height) = first.map_or((0, 0), |picture| (picture.width, picture.height));
    let rows = columns.first().map_or(0, Vec::len);
    let mut rgb = Vec::with_capacity(3 * width * height * rows * columns.len());
    for row in 0..rows {
        for y in 0..height {
            for column in columns {
                rgb.extend(&column[row].rgb[3 * y * width..3 * (y + 1) * width]);
            }
        }
    }
    RgbImage { width: width * columns.len(), height: height * rows, rgb }
}
