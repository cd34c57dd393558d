//! `cargo xtask gpu-check`: what a device computes, how fast, and in how much memory.

mod agreement;
mod networks;
mod part;
mod peer;
mod report;
mod row;
mod shipped;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use pipeline::DeviceChoice;

use crate::part::{Part, PartResult};

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[derive(Parser)]
#[command(
    name = "cargo xtask gpu-check",
    version,
    about = "Checks a device: agreement with the CPU, times and memory, PyTorch's beside them"
)]
#[command(
    after_help = "Every part runs in a process of its own and is kept in the folder: a part that \
    fails hides no other, and a second call does what is missing.\n\n\
    Example:\n  cargo xtask gpu-check --device cuda --out gpu-check"
)]
struct GpuCheckArgs {
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cuda")]
    device: DeviceChoice,
    /// Folder for the parts' results, `gpu-check.json` and `gpu-check.txt`.
    #[arg(long, default_value = "target/gpu-check")]
    out: PathBuf,
    /// Parts to run, all where left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Minutes after which no part is started.
    #[arg(long, default_value_t = 8.0, value_parser = positive)]
    minutes: f64,
    /// Python whose PyTorch and diffusers measure the same beside it; `none` for none.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Only do this part here, a row of JSON for each result: how this program runs itself.
    #[arg(long, hide = true, value_enum)]
    here: Option<Part>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

fn main() -> ExitCode {
    terminal::end(run(GpuCheckArgs::parse()), |_| 1)
}

fn run(args: GpuCheckArgs) -> anyhow::Result<()> {
    if let Some(part) = args.here {
        let device = args.device.open()?;
        return kernels::on_workers(|| part.here(&device));
    }
    // What is missing is told before anything is run.
    args.device.open()?;
    let peer = peer::Peer::new(&args.python, args.device);
    if let Some(reason) = peer.missing() {
        terminal::note(format_args!("PyTorch is not measured beside it: {reason}"));
    }
    let start = Instant::now();
    let limit = Duration::from_secs_f64(60.0 * args.minutes);
    for part in Part::chosen(&args.parts) {
        let kept = PartResult::kept(&args.out, part, args.device).filter(|r| r.error.is_none());
        let left = limit.saturating_sub(start.elapsed());
        let result = match kept {
            Some(result) => result,
            None if left.is_zero() => {
                terminal::note(format_args!("{part}: no time left, call again"));
                continue;
            }
            None => {
                let result = PartResult::run(part, args.device, &peer, left)?;
                result.keep(&args.out)?;
                result
            }
        };
        terminal::line(report::of_part(&result))?;
    }
    let kept = |part| PartResult::kept(&args.out, part, args.device);
    let results: Vec<PartResult> = Part::chosen(&[]).into_iter().filter_map(kept).collect();
    report::write(&args.out, &results)?;
    terminal::line(args.out.join("gpu-check.json").display())?;
    let failed: Vec<String> =
        results.iter().filter(|r| r.error.is_some()).map(|r| r.part.to_string()).collect();
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
