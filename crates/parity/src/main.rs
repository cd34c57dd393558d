//! `cargo xtask parity`: compares with a folder of reference outputs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;

/// Small tensors come and go by the million; the system's allocator gives their pages back to the
/// kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "cargo xtask parity",
    version,
    about = "Compares with a folder of reference outputs"
)]
struct ParityArgs {
    /// Folder with reference outputs.
    folder: PathBuf,
    /// Print failures and the summary only.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let args = ParityArgs::parse();
    terminal::end(kernels::on_workers(|| run(args)), |_| 1)
}

fn run(args: ParityArgs) -> anyhow::Result<()> {
    let mut written = Ok(());
    let mut print = |line: &str| {
        if written.is_ok() && (!args.quiet || !line.starts_with("ok")) {
            written = terminal::line(line);
        }
    };
    let report = parity::run(&args.folder, &mut print)?;
    let (compared, failed, not_run) = (report.compared(), report.failed(), report.not_run());
    let passed = report.passed();
    written?;
    terminal::line(format_args!("{compared} compared, {failed} failed, {not_run} not run"))?;
    if !passed {
        bail!("reference outputs are not met");
    }
    Ok(())
}
