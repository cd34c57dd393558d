//! `unet-reweight`: what does each U-Net block do for your prompt, and which one should you turn
//! up?

mod commands;
mod facts;
mod failure;
mod logging;
mod loras;
mod options;
mod outputs;

use std::process::ExitCode;

#[cfg(feature = "man")]
use anyhow::Context;
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[derive(Parser)]
#[command(name = "unet-reweight", version)]
#[command(about = "Measures and re-weights the attention blocks of Stable Diffusion U-Nets")]
struct Arguments {
    /// Say on standard error what is found, loaded and kept; twice for details, three times for
    /// everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make pictures from a prompt.
    Generate(commands::generate::GenerateArgs),
    /// Make a picture again as another: inverted under one prompt, denoised under another.
    Edit(commands::edit::EditArgs),
    /// Make a page that shows what each block does for a prompt: importance, and pictures with each
    /// block turned up, down or skipped.
    Explain(commands::explain::ExplainArgs),
    /// Measure how much each block matters at each step for a prompt.
    Importance(commands::importance::ImportanceArgs),
    /// Measure what each block at each step does to the result: lowered or skipped there alone.
    Effects(commands::effects::EffectsArgs),
    /// Measure importance by the paper's Importance Probe: search and vote.
    Probe(commands::probe::ProbeArgs),
    /// Fit block weights to real pictures, and tell which way each block is to be turned.
    Fit(commands::fit::FitArgs),
    /// Search block weights that raise the score of a prompt's pictures, and test them on other seeds.
    Tune(commands::tune::TuneArgs),
    /// Write a schedule of block weights.
    Schedule(commands::schedule::ScheduleArgs),
    /// Make the same picture vanilla, re-weighted and with FreeU, side by side.
    Compare(commands::compare::CompareArgs),
    /// Measure pictures: HPS, CLIP score, FID, KID, LPIPS, PSNR, SSIM.
    Score(commands::score::ScoreArgs),
    /// Fetch models, metrics' weights and prompts into the usual caches.
    Download(commands::download::DownloadArgs),
    /// Write a model in a form that other programs read.
    Export(commands::export::ExportArgs),
    /// Show a model's blocks, parameters and memory.
    Inspect(commands::inspect::InspectArgs),
    /// Print a shell's completion script.
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command.
    #[cfg(feature = "man")]
    #[command(hide = true)]
    Man {
        /// Folder, which exists.
        folder: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.verbose);
    failure::end(kernels::on_workers(|| run(arguments.command)))
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Generate(args) => commands::generate::run(args),
        Command::Edit(args) => commands::edit::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Importance(args) => commands::importance::run(args),
        Command::Effects(args) => commands::effects::run(args),
        Command::Probe(args) => commands::probe::run(args),
        Command::Fit(args) => commands::fit::run(args),
        Command::Tune(args) => commands::tune::run(args),
        Command::Schedule(args) => commands::schedule::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Score(args) => commands::score::run(args),
        Command::Download(args) => commands::download::run(args),
        Command::Export(args) => commands::export::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "unet-reweight", &mut script);
            terminal::line(String::from_utf8_lossy(&script).trim_end())
        }
        #[cfg(feature = "man")]
        Command::Man { folder } => clap_mangen::generate_to(Arguments::command(), &folder)
            .with_context(|| format!("`{}`", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of all options read them from the help: here, that it names every one of them.
    #[test]
    fn the_help_of_every_command_names_its_options() {
        fn check(command: &mut clap::Command) {
            command.build();
            let help = command.render_help().to_string();
            let read = hostile::options(&help);
            let expected = command.get_arguments().filter(|argument| !argument.is_hide_set());
            let mut expected: Vec<(String, bool)> = expected
                .filter_map(|argument| {
                    let takes_value = argument.get_action().takes_values();
                    Some((format!("--{}", argument.get_long()?), takes_value))
                })
                .filter(|(name, _)| !["--help", "--version", "--verbose"].contains(&&name[..]))
                .collect();
            let mut found: Vec<(String, bool)> =
                read.into_iter().map(|option| (option.name, option.takes_value)).collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{help}");
            command.get_subcommands_mut().for_each(check);
        }
        check(&mut Arguments::command());
    }
}
