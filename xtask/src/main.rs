//! `cargo xtask`: the project's own commands.

mod commands;

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
    /// Compare with a folder of reference outputs.
    Parity(commands::parity::ParityArgs),
    /// Train the model that ships in `models/`.
    Train(commands::train::TrainArgs),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Parity(args) => commands::parity::handle_command(args),
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
