//! `export`: models in the form that other programs read.

use std::path::{Path, PathBuf};

use burn::tensor::FloatDType;
use clap::{Args, Subcommand, ValueEnum};
use pipeline::{DeviceChoice, Pipeline};
use weights::StoredDtype;

use crate::options::named_model;
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Arguments of `export`.
#[derive(Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a model as a checkpoint in one file, under the names of the first implementation, which
    /// ComfyUI and others read. It takes twice the file's size in memory.
    Checkpoint(CheckpointArgs),
}

#[derive(Args)]
#[command(after_help = "Example:\n  unet-reweight export checkpoint --model sd-turbo-folder \
                        --out sd-turbo.safetensors")]
struct CheckpointArgs {
    /// Preset, folder of a diffusers pipeline, or checkpoint in one file, like SD 1.x, 2.x or SDXL.
    /// [default: the shipped model `emoji-sd`, whose file no other program reads: its sizes are its
    /// own].
    #[arg(long)]
    model: Option<String>,
    /// Preset whose configuration a checkpoint in one file has.
    #[arg(long)]
    base: Option<String>,
    /// File that is written.
    #[arg(long)]
    out: PathBuf,
    /// Data type of its weights: f16, or f32, which loses nothing.
    #[arg(long, value_enum, default_value = "f16")]
    dtype: Stored,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    F16,
    F32,
}

pub fn run(args: ExportArgs) -> anyhow::Result<()> {
    let What::Checkpoint(args) = args.what;
    let model = named_model(args.model.as_deref(), args.base.as_deref())?;
    let outputs = Outputs::new().with(&args.out, Kind::Checkpoint);
    // Before anything is loaded, and again with what a preset stands for.
    outputs.check(files_of(Path::new(&model)).iter().map(PathBuf::as_path), &args.output)?;
    let (dtype, stored) = match args.dtype {
        Stored::F16 => (FloatDType::F16, StoredDtype::F16),
        Stored::F32 => (FloatDType::F32, StoredDtype::F32),
    };
    let device = DeviceChoice::Cpu.open()?;
    let pipeline = Pipeline::open(&model, args.base.as_deref(), dtype, &device)?;
    outputs.check(files_of(pipeline.path()).iter().map(PathBuf::as_path), &args.output)?;
    pipeline.write_single_file(&args.out, stored)?;
    terminal::line(args.out.display())
}

/// The files of a model, which must not be written over.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_path_buf()] };
    entries.flatten().flat_map(|entry| files_of(&entry.path())).collect()
}
