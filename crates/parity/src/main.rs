//! `cargo xtask parity`: compares with a folder of reference outputs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;
use parity::Arithmetic;
use pipeline::{DeviceChoice, Precision};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[derive(Parser)]
#[command(
    name = "cargo xtask parity",
    version,
    about = "Compares with a folder of reference outputs"
)]
struct ParityArgs {
    /// Folder with reference outputs.
    folder: PathBuf,
    /// Device that models compute on: cpu, cuda[:n], wgpu[:n] or torch[:n]. Off the CPU results may lie
    /// 0.001 of the largest value from the reference.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Data type of the pipelines' weights: f32, f16 or bf16. The root of the mean squared
    /// error may be 0.025 of that of the values in f16, 0.2 in bf16, of single passes alone.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Print failures and the summary only.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let args = ParityArgs::parse();
    terminal::end(kernels::on_workers(|| run(args)), |_| 1)
}

fn run(args: ParityArgs) -> anyhow::Result<()> {
    let mut written = Ok(());
    let mut print = |line: &str| {
        if written.is_ok() && (!args.quiet || !line.starts_with("ok")) {
            written = terminal::line(line);
        }
    };
    let arithmetic = Arithmetic::open(args.device, args.dtype)?;
    let report = parity::run(&args.folder, &arithmetic, &mut print)?;
    let (compared, failed, not_run) = (report.compared(), report.failed(), report.not_run());
    let passed = report.passed();
    written?;
    terminal::line(format_args!("{compared} compared, {failed} failed, {not_run} not run"))?;
    if !passed {
        bail!("reference outputs are not met");
    }
    Ok(())
}
