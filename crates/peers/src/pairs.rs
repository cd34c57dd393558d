//! Runs of both programs, one after the other, each in a process of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use workloads::median;

use crate::ours;
use crate::work::Work;

const SCRIPT: &str = include_str!("../python/measure.py");

/// What one process measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Seconds of each timed run.
    pub seconds: Vec<f64>,
    /// Most memory the process held, in bytes, its model included.
    pub peak_bytes: u64,
}

impl Run {
    /// Does the work in this process.
    pub fn here(work: Work) -> anyhow::Result<Self> {
        Ok(Self { seconds: ours::measure(work)?, peak_bytes: peak_bytes()? })
    }

    /// Median of the timed runs, in seconds.
    pub fn median(&self) -> f64 {
        median(&self.seconds)
    }
}

/// Most memory this process held, as Linux counts it.
pub fn peak_bytes() -> anyhow::Result<u64> {
    let file = "/proc/self/status";
    let text = std::fs::read_to_string(file).with_context(|| format!("`{file}` (Linux only)"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("expected `VmHWM` in `{file}`"))? * 1024)
}

/// Processors of this machine that this process may use.
pub fn processors() -> anyhow::Result<usize> {
    Ok(std::thread::available_parallelism().context("the number of processors")?.into())
}

/// The Python program.
pub struct Peer {
    python: PathBuf,
    threads: usize,
}

impl Peer {
    /// PyTorch in `python`, with so many threads.
    pub fn new(python: PathBuf, threads: usize) -> Self {
        Self { python, threads }
    }

    /// The interpreter.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// Fails where Python or a library is missing.
    pub fn check(&self) -> anyhow::Result<()> {
        let output = Command::new(&self.python)
            .args(["-c", "import torch, diffusers, transformers"])
            .output()
            .with_context(|| format!("`{}` could not be started", self.python.display()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!("{}", text.lines().last().unwrap_or_default());
        }
        Ok(())
    }

    fn run(&self, work: Work) -> anyhow::Result<Run> {
        let task = json!({
            "work": work.name(),
            "config": work.config()?,
            "batch": work.batch(),
            "repeats": work.repeats(),
            "threads": self.threads,
        });
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT]);
        measured(command, &task.to_string())
    }
}

pub fn measured(mut command: Command, input: &str) -> anyhow::Result<Run> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` could not be started"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| format!("`{name}` reads nothing"))?;
    }
    let output = child.wait_with_output().with_context(|| format!("`{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("expected times as JSON from `{name}`"))
}

/// Ours and PyTorch's runs of `work`, alternately.
pub fn alternate(peer: &Peer, work: Work, pairs: u32) -> anyhow::Result<Vec<(Run, Run)>> {
    let program = std::env::current_exe().context("the path of this program")?;
    let mut runs = Vec::new();
    for _ in 0..pairs {
        let mut command = Command::new(&program);
        command.args(["--measure", &work.name()]);
        command.env("RAYON_NUM_THREADS", peer.threads.to_string());
        runs.push((measured(command, "")?, peer.run(work)?));
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_program_that_fails_or_prints_no_times_is_named() {
        for (words, part) in [(["-c", "exit 3"], "exit status: 3"), (["-c", "echo"], "JSON")] {
            let mut command = Command::new("sh");
            command.args(words);
            let error = format!("{:#}", measured(command, "").unwrap_err());
            assert!(error.contains("`sh`") && error.contains(part), "{error}");
        }
    }
}
