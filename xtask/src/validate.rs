//! `cargo xtask validate`: every check of the repository, cheapest first.

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::command::WrongUse;
use crate::{command, project_root, tidy};

/// What the command does.
pub const ABOUT: &str = "Run all checks: tidy, format, clippy, documentation, tests";

const HELP: &str = "Usage: cargo xtask validate [--no-tests] [--no-docs]";

/// Runs every check that is not left out.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (mut tests, mut documentation) = (true, true);
    for argument in arguments {
        match argument.as_str() {
            "--no-tests" => tests = false,
            "--no-docs" => documentation = false,
            "--help" | "-h" => {
                println!("{ABOUT}\n\n{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(WrongUse(format!("there is no option `{other}`\n\n{HELP}")).into()),
        }
    }
    tidy::check(&project_root())?;
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    if documentation {
        cargo(&["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    }
    if tests {
        cargo(&["test", "--workspace"], &[])?;
    }
    println!("all checks passed");
    Ok(ExitCode::SUCCESS)
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    eprintln!("cargo {}", arguments.join(" "));
    let status = command::cargo()
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(project_root())
        .status()
        .context("cargo could not be started")?;
    if !status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    Ok(())
}
