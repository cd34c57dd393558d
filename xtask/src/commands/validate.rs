use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::{project_root, tidy};

/// Arguments of `cargo xtask validate`.
#[derive(Args)]
pub struct ValidateArgs {
    /// Leave the tests out.
    #[arg(long)]
    no_tests: bool,
}

/// Runs every check, cheapest first.
pub fn handle_command(args: ValidateArgs) -> anyhow::Result<()> {
    let complaints = tidy::complaints(&project_root())?;
    if !complaints.is_empty() {
        bail!("tidy:\n  {}", complaints.join("\n  "));
    }
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    cargo(&["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    if !args.no_tests {
        cargo(&["test", "--workspace"], &[])?;
    }
    println!("all checks passed");
    Ok(())
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    eprintln!("cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
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
