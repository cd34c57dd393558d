//! `cargo xtask reproduce`: runs the paper's experiments on a model.

mod args;
mod cluster;
mod command;
mod dry_run;
mod progress;
mod progress_file;

use std::process::ExitCode;

use clap::Parser;

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> ExitCode {
    let args = args::ReproduceArgs::parse();
    terminal::end(kernels::on_workers(|| command::run(args)), |_| 1)
}
