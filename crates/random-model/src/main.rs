//! `cargo xtask random-model`: a model with a preset's files and random weights, to measure or to
//! test with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(
    name = "cargo xtask random-model",
    version,
    about = "Writes a model with a preset's files and random weights, to measure or to test with"
)]
#[command(after_help = "Example:\n  cargo xtask random-model sd-2.1 --out sd-2.1-random")]
struct RandomModelArgs {
    /// Preset whose files are imitated.
    preset: String,
    /// Folder that is written; it must not exist.
    #[arg(long)]
    out: PathBuf,
    /// Type of the stored weights.
    #[arg(long, value_enum, default_value = "f16")]
    dtype: Stored,
    /// A few channels instead of the preset's.
    #[arg(long)]
    tiny: bool,
    /// Seed of the weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    F16,
    Bf16,
    F32,
}

fn main() -> ExitCode {
    terminal::end(run(RandomModelArgs::parse()), |_| 1)
}

fn run(args: RandomModelArgs) -> anyhow::Result<()> {
    if args.out.exists() {
        bail!("`{}` exists already; choose another --out", args.out.display());
    }
    let preset = hub::preset(&args.preset)?;
    if !preset.is_preset() {
        bail!("`{}` is no model", args.preset);
    }
    let preset = if args.tiny { pipeline::tiny(preset) } else { preset.clone() };
    let dtype = match args.dtype {
        Stored::F16 => safetensors::Dtype::F16,
        Stored::Bf16 => safetensors::Dtype::BF16,
        Stored::F32 => safetensors::Dtype::F32,
    };
    pipeline::write_synthetic(&preset, &args.out, dtype, args.seed)?;
    terminal::line(args.out.display())
}
