//! Starts a process for each reader under a limit of its address space, and keeps what it did not
//! stand.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::case::case;
use crate::target::Target;
use crate::worker::{MOST_TIME, State, TOO_LONG};

/// Address space of one process, in KiB.
const ADDRESS_SPACE: u64 = 4 << 20;
/// A reader that fails this often is given up.
const MOST_FINDINGS: usize = 20;

/// What became of one reader.
#[derive(Default)]
struct Tally {
    state: State,
    /// Number of the case and what happened.
    findings: Vec<(u64, String)>,
}

/// Feeds `targets`, one after the other.
pub fn run(
    targets: &[Target],
    seed: u64,
    seconds: f64,
    findings: &Path,
) -> anyhow::Result<ExitCode> {
    let mut total = 0;
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>7}  findings",
        "reader", "cases", "accepted", "refused", "s"
    );
    for target in targets {
        let Tally { state, findings: found } = feed(target, seed, seconds)?;
        let State { number, accepted, refused, seconds } = state;
        println!(
            "{:<18} {number:>9} {accepted:>9} {refused:>9} {seconds:>7.1}  {}",
            target.name,
            found.len()
        );
        let seeds = (target.seeds)()?;
        for (number, what) in &found {
            let path = findings.join(format!("{}-{seed}-{number}", target.name));
            std::fs::create_dir_all(findings)?;
            std::fs::write(&path, case(target.form, &seeds, seed, *number))?;
            println!("  {}: {what}", path.display());
        }
        total += found.len();
    }
    Ok(if total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Processes of one reader, each going on behind the case that the last did not stand.
fn feed(target: &Target, seed: u64, seconds: f64) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while tally.state.seconds < seconds && tally.findings.len() < MOST_FINDINGS {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -c 0; ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe()?)
            .args([target.name, "--seed", &seed.to_string()])
            .args(["--seconds", &(seconds - tally.state.seconds).to_string()])
            .args(["--from", &tally.state.number.to_string()])
            .current_dir(folder.path())
            // Two threads are as parallel as any number, and need less address space.
            .env("RAYON_NUM_THREADS", "2")
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = std::thread::scope(|scope| {
            let errors = child.stderr.take();
            let errors = scope.spawn(move || read(errors));
            let lines = read(child.stdout.take());
            (lines, errors.join().unwrap_or_default())
        });
        let status = child.wait()?;
        for line in said.0.lines() {
            let (number, what) = line.split_once(' ').context("a line without a number")?;
            tally.findings.push((number.parse()?, what.to_string()));
        }
        let state = State::read(folder.path())
            .with_context(|| format!("`{}` did not start: {}", target.name, said.1))?;
        tally.state.number = state.number;
        tally.state.accepted += state.accepted;
        tally.state.refused += state.refused;
        tally.state.seconds += state.seconds;
        if !status.success() {
            let what = match status.code() {
                Some(code) if code == i32::from(TOO_LONG) => format!("more than {MOST_TIME} s"),
                _ => format!("{status}: {}", said.1.lines().last().unwrap_or_default()),
            };
            tally.findings.push((state.number, what));
            tally.state.number += 1;
        }
    }
    Ok(tally)
}

/// All that a process says.
fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is not there: the exit status says the rest.
    let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
