//! `cargo xtask peers`: this project and PyTorch, alternately, on the same work.

mod cost;
mod ours;
mod pairs;
mod report;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, ValueEnum};

use crate::work::Work;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[derive(Parser)]
#[command(
    name = "cargo xtask peers",
    version,
    about = "Measures this project and PyTorch alternately on the same work, in f32 on the CPU"
)]
#[command(
    after_help = "Example:\n  cargo xtask peers --python venv/bin/python --work unet8,vae\n\n\
    PyTorch comes into a virtual environment of its own:\n  python3 -m venv venv && \
    venv/bin/pip install torch diffusers transformers"
)]
struct PeersArgs {
    /// What is measured; everything where left out (`sdxl` takes 11 GiB of memory).
    #[arg(long, value_enum, value_delimiter = ',')]
    work: Vec<Work>,
    /// Runs of each program.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Python that has torch, diffusers and transformers.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Threads of both programs; as many as there are processors where left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Measure this project alone, the shipped U-Net with these batches and sides of latents
    /// (BATCHxSIDE,...; without a list those from 1x16 to 4x128).
    #[arg(
        long,
        value_name = "CELLS",
        value_delimiter = ',',
        num_args = 0..=1,
        default_missing_value = cost::DEFAULT,
        conflicts_with_all = ["work", "pairs", "python", "threads"]
    )]
    cost: Option<Vec<cost::Cell>>,
    /// Only measure this cell of the costs here: how this program measures itself.
    #[arg(long, hide = true)]
    cell: Option<cost::Cell>,
    /// Only do the work here, and print its times: how this program measures itself.
    #[arg(long, hide = true, value_enum)]
    measure: Option<Work>,
}

fn main() -> ExitCode {
    terminal::end(run(PeersArgs::parse()), |_| 1)
}

fn run(args: PeersArgs) -> anyhow::Result<()> {
    if let Some(work) = args.measure {
        let run = kernels::on_workers(|| pairs::Run::here(work))?;
        return terminal::json(&serde_json::to_value(run)?);
    }
    if let Some(cell) = args.cell {
        let run = kernels::on_workers(|| cell.here())?;
        return terminal::json(&serde_json::to_value(run)?);
    }
    if let Some(cells) = args.cost {
        return costs(&cells, args.json);
    }
    let threads = args.threads.map_or_else(pairs::processors, |threads| Ok(threads as usize))?;
    let peer = pairs::Peer::new(args.python, threads);
    if let Err(reason) = peer.check() {
        bail!(
            "`{}` cannot import torch, diffusers and transformers; get them by\n  python3 -m venv \
             venv && venv/bin/pip install torch diffusers transformers\nand name them with \
             `--python venv/bin/python` ({reason})",
            peer.python().display()
        );
    }
    let all = Work::value_variants();
    let works = if args.work.is_empty() { all } else { &args.work };
    let mut rows = Vec::new();
    for work in works {
        let row = report::Row::new(*work, pairs::alternate(&peer, *work, args.pairs)?);
        if !args.json {
            if rows.is_empty() {
                terminal::line(report::header())?;
            }
            terminal::line(&row)?;
        }
        rows.push(row);
    }
    if args.json { terminal::pretty_json(&rows) } else { Ok(()) }
}

fn costs(cells: &[cost::Cell], json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for cell in cells {
        let row = cell.apart()?;
        if !json {
            if rows.is_empty() {
                terminal::line(cost::header())?;
            }
            terminal::line(&row)?;
        }
        rows.push(row);
    }
    if json { terminal::pretty_json(&rows) } else { Ok(()) }
}
