//! `cargo xtask`: the project's own commands.

mod commands;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch models, metrics' weights and prompts into the usual caches.
    Download(commands::download::DownloadArgs),
    /// Compare with a folder of reference outputs.
    Parity(commands::parity::ParityArgs),
    /// Measure how well the shipped model's pictures show what they were asked for.
    Quality(commands::quality::QualityArgs),
    /// Write a model with a preset's files and random weights, to measure or to test with.
    RandomModel(commands::random_model::RandomModelArgs),
    /// Run the paper's experiments on a model.
    Reproduce(commands::reproduce::ReproduceArgs),
    /// Train the model that ships in `models/`.
    Train(commands::train::TrainArgs),
    /// Run all checks: tidy, format, clippy, documentation, tests.
    Validate(commands::validate::ValidateArgs),
}

/// The workspace's root.
fn project_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Download(args) => commands::download::handle_command(args),
        Command::Parity(args) => commands::parity::handle_command(args),
        Command::Quality(args) => commands::quality::handle_command(args),
        Command::RandomModel(args) => commands::random_model::handle_command(args),
        Command::Reproduce(args) => commands::reproduce::handle_command(args),
        Command::Validate(args) => commands::validate::handle_command(args),
        Command::Train(args) => commands::train::handle_command(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
