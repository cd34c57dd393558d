use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

/// Arguments of `cargo xtask parity`.
#[derive(Args)]
pub struct ParityArgs {
    /// Folder with reference outputs.
    folder: PathBuf,
    /// Print failures and the summary only.
    #[arg(long)]
    quiet: bool,
}

pub fn handle_command(args: ParityArgs) -> anyhow::Result<()> {
    let mut print = |line: &str| {
        if !args.quiet || !line.starts_with("ok") {
            println!("{line}");
        }
    };
    let report = parity::run(&args.folder, &mut print)?;
    let (compared, failed, not_run) = (report.compared(), report.failed(), report.not_run());
    let passed = report.passed();
    println!("{compared} compared, {failed} failed, {not_run} not run");
    if !passed {
        bail!("reference outputs are not met");
    }
    Ok(())
}
