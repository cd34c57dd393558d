//! Feeds every reader of the workspace with damaged files, reproducibly.
//!
//! `fuzz --list` names the readers; `fuzz --seconds 60 --seed 1 checkpoint-zip png` damages their corpora.
//! Each reader runs in a process of its own under a limit of its address space; what makes it
//! panic, abort, take too long or too much memory, or break a promise, is kept in a folder, and the
//! program ends with 1. Everything follows from the seed and the number of a case.

mod archive;
mod bytes;
mod case;
mod json;
mod parent;
mod png;
mod target;
mod targets;
mod tensors;
mod text;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Feeds readers with damaged files.
#[derive(Debug, Parser)]
struct Args {
    /// Readers; all where none is named.
    targets: Vec<String>,
    /// Processor time for each reader, in seconds.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seed of all damage.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for cases that a reader did not stand.
    #[arg(long, default_value = "target/fuzz")]
    findings: PathBuf,
    /// Only says which readers there are.
    #[arg(long)]
    list: bool,
    /// Reads this one file as the reader would, instead of damaged ones.
    #[arg(long)]
    case: Option<PathBuf>,
    /// Works on cases from this one on: how the program starts itself.
    #[arg(long, hide = true)]
    from: Option<u64>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let all = targets::all();
    if args.list {
        all.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.targets {
        anyhow::ensure!(
            all.iter().any(|target| target.name == name),
            "there is no reader `{name}`; `--list` names them"
        );
    }
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|target| args.targets.is_empty() || args.targets.iter().any(|n| n == target.name))
        .collect();
    if let Some(case) = &args.case {
        return worker::replay(&chosen, &std::fs::read(case)?);
    }
    match (args.from, chosen.as_slice()) {
        (Some(from), [target]) => worker::work(target, args.seed, from, args.seconds),
        _ => parent::run(&chosen, args.seed, args.seconds, &args.findings),
    }
}
