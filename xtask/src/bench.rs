//! `cargo xtask bench`: the criterion benchmarks, with the libraries that every command uses.

use std::process::ExitCode;

use anyhow::Context;

use crate::command::WrongUse;
use crate::programs::cargo_here;
use crate::project_root;

/// What the command does.
pub const ABOUT: &str = "Run the criterion benchmarks, or some of them";

/// The benchmark programs of the package `workloads`.
const BENCHES: [&str; 4] = ["kernels", "forward", "epoch", "networks"];

const HELP: &str = "Usage: cargo xtask bench [kernels|forward|epoch|networks]... [-- CRITERION'S OPTIONS]\n\n\
     cargo's own `bench` has a folder of its own for what it builds; this one uses the development\n\
     profile, in which all that computes is optimised, and so compiles no library twice.";

/// Runs the named benchmark programs, or all.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (names, options) = arguments.split_at(end);
    let mut command = cargo_here(&project_root(), "bench");
    command.args(["--profile", "dev", "--package", "workloads"]);
    for name in names {
        match name.as_str() {
            "--help" | "-h" => {
                println!("{ABOUT}\n\n{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            known if BENCHES.contains(&known) => command.args(["--bench", known]),
            other => {
                return Err(WrongUse(format!("there is no benchmark `{other}`\n\n{HELP}")).into());
            }
        };
    }
    if names.is_empty() {
        command.arg("--benches");
    }
    let status = command.args(options).status().context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
