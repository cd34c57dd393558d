//! Slurm's queue, and the commands that change it.

use std::process::Command;

use anyhow::{Context as _, bail};

/// The jobs of this user that wait or run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue(Vec<Queued>);

#[derive(Debug, PartialEq, Eq)]
struct Queued {
    id: u64,
    /// Number in an array.
    task: Option<usize>,
    state: String,
    reason: String,
}

impl Queue {
    /// Asks Slurm.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let asked = ["--noheader", "--array", "--me", "--format=%i|%T|%r"];
        Ok(Self::parse(&said("squeue", &asked)?))
    }

    fn parse(text: &str) -> Self {
        let job = |line: &str| {
            let mut fields = line.trim().splitn(3, '|');
            let name = fields.next()?;
            let (id, task) = match name.split_once('_') {
                Some((id, task)) => (id, Some(task.parse().ok()?)),
                None => (name, None),
            };
            let state = fields.next()?.to_lowercase();
            // One that ends, or has ended, runs no more.
            let ends = ["completing", "cancelled", "completed", "failed", "timeout"];
            let reason = fields.next()?.to_string();
            let waits = !ends.contains(&state.as_str());
            waits.then_some(Queued { id: id.parse().ok()?, task, state, reason })
        };
        Self(text.lines().filter_map(job).collect())
    }

    /// Whether a job waits or runs, and why it waits.
    pub(crate) fn state(&self, id: u64, task: Option<usize>) -> Option<String> {
        let job = self.0.iter().find(|job| job.id == id && job.task == task)?;
        Some(match job.reason.as_str() {
            "None" | "" => job.state.clone(),
            reason => format!("{} ({reason})", job.state),
        })
    }
}

/// Submits a script, and returns the job's number.
pub(crate) fn sbatch(arguments: &[String]) -> anyhow::Result<u64> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = said("sbatch", &arguments)?;
    // `--parsable` says `number`, or `number;cluster`.
    let number = text.trim().split(';').next().unwrap_or_default();
    number.parse().with_context(|| format!("expected a job's number of sbatch, found `{text}`"))
}

/// Takes a job out of the queue.
pub(crate) fn scancel(id: u64) -> anyhow::Result<()> {
    said("scancel", &[&id.to_string()]).map(drop)
}

/// What one of Slurm's commands says.
fn said(command: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(command)
        .args(arguments)
        .output()
        .with_context(|| format!("Slurm's `{command}` could not be started"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{command}: {}", error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_arrays_and_leaves_out_what_ends() {
        let text = "12_3|RUNNING|None\n12_4|PENDING|Resources\n13|PENDING|Dependency\n\
                    12_5|COMPLETING|None\nslurm_load_jobs error\n";
        let queue = Queue::parse(text);
        assert_eq!(queue.state(12, Some(3)), Some("running".into()));
        assert_eq!(queue.state(12, Some(4)), Some("pending (Resources)".into()));
        assert_eq!(queue.state(13, None), Some("pending (Dependency)".into()));
        assert_eq!(queue.state(12, Some(5)), None);
        assert_eq!(queue.state(12, None), None);
    }
}
