//! Starting other programs, cargo first of all.

use std::process::Command;

use anyhow::{Context, bail};

/// The cargo that runs this program; else the one that is found.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program that must succeed.
pub fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?} could not be started"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("{command:?} failed"),
    }
}

/// What a program that must succeed prints.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?} could not be started"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}
