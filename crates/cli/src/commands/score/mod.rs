//! `score`: pictures in, a table or JSON out.

mod pairs;
mod preference;
mod sets;

use burn::tensor::{Device, FloatDType};
use clap::{Args, Subcommand};
use metrics::{Number, mean_interval};
use pipeline::{DeviceChoice, Precision};
use serde_json::{Value, json};

/// Arguments of `score`.
#[derive(Args)]
#[command(after_help = "Examples:\n  unet-reweight score clip out\n  \
    unet-reweight score hps out --prompts prompts.jsonl --weights HPS_v2.1_compressed.pt \
    --tokenizer sd-turbo/tokenizer\n  \
    unet-reweight score fid real out --weights pt_inception-2015-12-05-6726825d.pth\n  \
    unet-reweight score lpips vanilla weighted --weights alexnet-owt-7be5be79.pth --weights alex.pth")]
pub struct ScoreArgs {
    #[command(subcommand)]
    metric: Metric,
}

#[derive(Subcommand)]
enum Metric {
    /// HPS v2 or v2.1: how people would like pictures for their prompts.
    Hps(preference::HpsArgs),
    /// The cosine of pictures and prompts under a small CLIP, by default the shipped one.
    Clip(preference::ClipArgs),
    /// Fréchet inception distance of two sets of pictures.
    Fid(sets::FidArgs),
    /// Kernel inception distance of two sets of pictures.
    Kid(sets::KidArgs),
    /// How different paired pictures look.
    Lpips(pairs::LpipsArgs),
    /// Peak signal-to-noise ratio of paired pictures.
    Psnr(pairs::PairArgs),
    /// Structural similarity of paired pictures.
    Ssim(pairs::PairArgs),
}

/// Where and how networks run.
#[derive(Args)]
struct RunOptions {
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Pictures of one network call; results do not depend on it.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
}

impl RunOptions {
    fn device(&self) -> anyhow::Result<(Device, FloatDType)> {
        Ok((self.device.open()?, self.dtype.into()))
    }

    fn batch(&self) -> usize {
        self.batch as usize
    }
}

pub fn run(args: ScoreArgs) -> anyhow::Result<()> {
    match args.metric {
        Metric::Hps(args) => preference::hps(&args),
        Metric::Clip(args) => preference::clip(&args),
        Metric::Fid(args) => sets::fid(&args),
        Metric::Kid(args) => sets::kid(&args),
        Metric::Lpips(args) => pairs::lpips(&args),
        Metric::Psnr(args) => pairs::simple(&args, "PSNR", "dB", metrics::psnr),
        Metric::Ssim(args) => pairs::simple(&args, "SSIM", "", metrics::ssim),
    }
}

/// Prints one value per picture or pair, their mean and its 95 % bootstrap interval.
fn print_values(
    metric: &str,
    unit: &str,
    rows: &[(String, f64)],
    details: Value,
    as_json: bool,
) -> anyhow::Result<()> {
    if let Some((name, _)) = rows.iter().find(|(_, value)| value.is_nan()) {
        anyhow::bail!("`{name}`: expected a number for the {metric}, found NaN");
    }
    let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let interval = mean_interval(&values, 2000, 1)?;
    if as_json {
        let row =
            |(name, value): &(String, f64)| json!({ "picture": name, "value": Number(*value) });
        let values: Vec<Value> = rows.iter().map(row).collect();
        let mut summary = json!({ "metric": metric, "values": values });
        merge(&mut summary, serde_json::to_value(interval)?);
        merge(&mut summary, details);
        return terminal::pretty_json(&summary);
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        terminal::line(format_args!("{name:width$}  {value:.5}"))?;
    }
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    terminal::line(format_args!(
        "{metric}: mean {:.5}{unit} [{:.5}, {:.5}] over {} (95 % bootstrap interval)",
        interval.mean, interval.low, interval.high, interval.count
    ))
}

/// Adds the entries of `more` to the object `summary`.
fn merge(summary: &mut Value, more: Value) {
    if let (Value::Object(summary), Value::Object(more)) = (summary, more) {
        summary.extend(more);
    }
}
