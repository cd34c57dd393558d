//! The work on many machines: scripts, Slurm's jobs, and how far they are.

mod args;
mod array;
mod jobs;
mod plan;
mod queue;
mod quote;
mod status;
mod submit;

use std::path::{Path, PathBuf};

pub(crate) use args::ClusterArgs;
pub(crate) use array::shard_of_array;
use reproduce::{Part, Study};

use self::jobs::Jobs;
use crate::args::ReproduceArgs;

/// An experiment that the jobs do.
pub(crate) struct Planned {
    pub(crate) file: PathBuf,
    pub(crate) study: Study,
    pub(crate) parts: Vec<Part>,
}

/// Does what the options ask for.
pub(crate) fn run(args: &ReproduceArgs, planned: &[Planned], root: &Path) -> anyhow::Result<()> {
    let files: Vec<PathBuf> = planned.iter().map(|planned| planned.file.clone()).collect();
    let names: Vec<String> = planned.iter().map(|planned| planned.study.name()).collect();
    let jobs = Jobs::new(args, root, &files, &names);
    if args.cluster.slurm_status {
        return status::status(&jobs);
    }
    plan::say(args, planned, jobs.array)?;
    if args.dry_run {
        for (path, text) in jobs.scripts()? {
            terminal::line(format_args!("\n--- {}\n{}", path.display(), text.trim_end()))?;
        }
        for command in submit::commands(&jobs) {
            terminal::line(command)?;
        }
        return Ok(());
    }
    // Machines that compute may have no way to the internet.
    #[cfg(feature = "download")]
    if !args.no_download {
        for package in planned.iter().flat_map(|planned| planned.study.packages()) {
            downloads::fetch_missing(&package)?;
        }
    }
    if args.cluster.slurm {
        return submit::submit(&jobs);
    }
    jobs.write()?;
    for (path, _) in jobs.scripts()? {
        terminal::line(path.display())?;
    }
    Ok(())
}
