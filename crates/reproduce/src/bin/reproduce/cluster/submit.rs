//! Submitting what is left of the work, and what was submitted.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use terminal::shell_word;

use super::jobs::{Jobs, Kind};
use super::queue::{Queue, sbatch, scancel};
use crate::progress_file::Reached;

/// Numbers of the jobs that were submitted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    /// What all of them were called with.
    words: Vec<String>,
    /// Shards of the work.
    pub(super) count: usize,
    common: Option<u64>,
    /// The last job of each shard, from 1.
    shards: Vec<Option<u64>>,
    merge: Option<u64>,
}

impl Submitted {
    fn path(jobs: &Jobs) -> PathBuf {
        jobs.folder.join("submitted.json")
    }

    /// Nothing where nothing was submitted from the folder.
    pub(crate) fn read(jobs: &Jobs) -> anyhow::Result<Option<Self>> {
        let path = Self::path(jobs);
        let text = match files::read(&path) {
            Err(error) if error.is_not_found() => return Ok(None),
            text => text?,
        };
        let submitted = serde_json::from_slice(&text);
        submitted.map(Some).with_context(|| path.display().to_string())
    }

    /// The number of a job; `shard` from 1.
    pub(crate) fn id(&self, kind: Kind, shard: usize) -> Option<u64> {
        match kind {
            Kind::Common => self.common,
            Kind::Shard => self.shards.get(shard - 1).copied().flatten(),
            Kind::Merge => self.merge,
        }
    }

    /// How the queue has a job; `None` where it has not.
    pub(crate) fn state(&self, queue: &Queue, kind: Kind, shard: usize) -> Option<String> {
        let task = (kind == Kind::Shard).then_some(shard);
        queue.state(self.id(kind, shard)?, task)
    }

    fn is_of(&self, jobs: &Jobs) -> bool {
        self.words == jobs.words && self.count == jobs.array.count
    }

    fn shards_from_1(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.count
    }

    fn is_live(&self, queue: &Queue) -> bool {
        [Kind::Common, Kind::Merge].iter().any(|kind| self.state(queue, *kind, 1).is_some())
            || self.shards_from_1().any(|shard| self.state(queue, Kind::Shard, shard).is_some())
    }
}

/// Submits the jobs that are neither done nor in the queue, and says which.
pub(crate) fn submit(jobs: &Jobs) -> anyhow::Result<()> {
    let queue = Queue::read()?;
    let count = jobs.array.count;
    let fresh = Submitted {
        words: jobs.words.clone(),
        count,
        shards: vec![None; count],
        ..Submitted::default()
    };
    let mut submitted = match Submitted::read(jobs)? {
        Some(earlier) if earlier.is_of(jobs) => earlier,
        Some(earlier) if earlier.is_live(&queue) => bail!(
            "`{}` has jobs of another command in the queue: --jobs names another folder",
            jobs.folder.display()
        ),
        earlier => {
            // What other jobs said does not hold for these.
            let progress = jobs.progress_folder();
            if earlier.is_some() && progress.exists() {
                std::fs::remove_dir_all(&progress)
                    .with_context(|| progress.display().to_string())?;
            }
            fresh
        }
    };
    jobs.write()?;
    let state = submitted.clone();
    let is_done = |kind, shard| {
        Reached::read(&jobs.progress(kind, shard)).is_some_and(|reached| reached.finished)
    };
    let is_live = |kind, shard| state.state(&queue, kind, shard).is_some();
    let left: Vec<usize> = (1..=count)
        .filter(|shard| !is_done(Kind::Shard, *shard) && !is_live(Kind::Shard, *shard))
        .collect();
    let mut after = Vec::new();
    if !is_done(Kind::Common, 1) {
        if !is_live(Kind::Common, 1) {
            submitted.common = Some(sbatch(&command(jobs, Kind::Common, &[], &[]))?);
            said(Kind::Common, submitted.common, "what all jobs need");
        }
        after.extend(submitted.common.map(|id| id.to_string()));
    }
    let waits_for: Vec<String> = (1..=count)
        .filter(|shard| is_live(Kind::Shard, *shard))
        .filter_map(|shard| Some(format!("{}_{shard}", state.id(Kind::Shard, shard)?)))
        .collect();
    if !left.is_empty() {
        let id = sbatch(&command(jobs, Kind::Shard, &left, &after))?;
        said(Kind::Shard, Some(id), &format!("{} of {count} shards", left.len()));
        for shard in &left {
            submitted.shards[shard - 1] = Some(id);
        }
        after.push(id.to_string());
    }
    after.extend(waits_for);
    let nothing_new = submitted == state;
    if nothing_new && (is_live(Kind::Merge, 1) || is_done(Kind::Merge, 1)) {
        terminal::line(format_args!(
            "nothing is left to submit; --slurm-status says how far the jobs are, and without `{}` \
             they are submitted anew",
            jobs.folder.display()
        ))?;
        return Ok(());
    }
    // It waits for jobs that are no more.
    if let Some(id) = state.merge.filter(|_| is_live(Kind::Merge, 1)) {
        scancel(id)?;
    }
    submitted.merge = Some(sbatch(&command(jobs, Kind::Merge, &[], &after))?);
    said(Kind::Merge, submitted.merge, "the tables");
    let text = serde_json::to_vec_pretty(&submitted)?;
    files::write_atomically(Submitted::path(jobs), text)?;
    terminal::line(format_args!(
        "scripts, output and progress are in `{}`; --slurm-status says how far the jobs are",
        jobs.folder.display()
    ))
}

fn said(kind: Kind, id: Option<u64>, what: &str) {
    terminal::note(format_args!("job {}: {}, {what}", id.unwrap_or_default(), kind.name()));
}

/// sbatch's arguments for a job that waits for others.
fn command(jobs: &Jobs, kind: Kind, shards: &[usize], after: &[String]) -> Vec<String> {
    let mut words = vec!["--parsable".to_string()];
    if !after.is_empty() {
        words.push(format!("--dependency=afterok:{}", after.join(":")));
        // One that can never run does not stay in the queue for ever.
        words.push("--kill-on-invalid-dep=yes".into());
    }
    if kind == Kind::Shard {
        words.push(format!("--array={}{}", ranges(shards), jobs.array.limit()));
    }
    words.push(jobs.slurm_script(kind).display().to_string());
    words
}

/// The commands that submit everything, as they would be typed.
pub(crate) fn commands(jobs: &Jobs) -> Vec<String> {
    let all: Vec<usize> = (1..=jobs.array.count).collect();
    let after = |kind: Kind| match kind {
        Kind::Common => Vec::new(),
        Kind::Shard => vec!["COMMON".to_string()],
        Kind::Merge => vec!["COMMON".into(), "SHARDS".into()],
    };
    let typed = |kind: Kind| {
        let words = command(jobs, kind, &all, &after(kind));
        let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
        format!("sbatch {}", words.join(" "))
    };
    Kind::ALL.map(typed).into()
}

/// Numbers in order, as Slurm writes them: `1-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(usize::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn ranges_are_those_that_slurm_reads() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
        assert_eq!((ranges(&[5]), ranges(&[])), ("5".into(), String::new()));
    }
}
