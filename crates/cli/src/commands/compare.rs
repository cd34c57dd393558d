//! `compare`: vanilla, re-weighted and FreeU pictures side by side.

use std::path::PathBuf;

use clap::Args;
use pictures::RgbImage;
use reweight::{FreeU, Policy};
use serde_json::json;

use crate::commands::sample;
use crate::options::{ModelOptions, SamplingOptions, policy};

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = "Example:\n  unet-reweight compare \"a cartoon of a lion\" --weights \
                        schedule.toml --seeds 1,2,3 --out grid.png")]
pub struct CompareArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// Schedule file (TOML, JSON, or the authors' YAML).
    #[arg(long)]
    weights: PathBuf,
    /// FreeU's factors b1,b2,s1,s2.
    #[arg(long, value_delimiter = ',', default_value = "1.4,1.6,0.9,0.2")]
    freeu: Vec<f64>,
    /// Picture the grid is written to: a row per seed; vanilla, re-weighted, FreeU.
    #[arg(long, default_value = "compare.png")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: CompareArgs) -> anyhow::Result<()> {
    let [b1, b2, s1, s2] = args.freeu[..] else {
        anyhow::bail!("expected four FreeU factors, found {}", args.freeu.len());
    };
    let freeu = FreeU::constant(b1, b2, s1, s2);
    freeu.check()?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    let weights = policy(Some(&args.weights), generation.steps, &pipeline)?;
    let request = pipeline.request(&generation, 0..generation.samples())?;
    let policies = [("vanilla", Policy::default()), ("weighted", weights), ("FreeU", freeu.into())];
    let mut columns = Vec::new();
    for (name, policy) in &policies {
        let latents = sample(&pipeline, &request, policy, name)?;
        columns.push(pipeline.pictures(latents)?);
    }
    let grid = grid(&columns);
    let sha256 = pipeline.fingerprint()?;
    let all = serde_json::to_value(policies.iter().map(|(_, policy)| policy).collect::<Vec<_>>())?;
    let seeds = &generation.noise.seeds;
    let intervention = json!({ "columns": ["vanilla", "weighted", "FreeU"], "policies": all,
                               "seeds": seeds });
    let record = pipeline.record(&generation, &sha256, seeds[0], intervention);
    record.save(&grid, &args.out)?;
    if args.json {
        println!("{}", json!({ "grid": args.out, "columns": ["vanilla", "weighted", "FreeU"] }));
    } else {
        println!("{} (columns: vanilla, weighted, FreeU)", args.out.display());
    }
    Ok(())
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
