//! How commands are used, and start other programs, cargo first of all.

use std::fmt;
use std::process::Command;

use anyhow::{Context, bail};

/// Arguments that a command does not take.
#[derive(Debug)]
pub struct WrongUse(pub String);

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

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
