//! The options that hand the work to a cluster.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// Most jobs of an array that are believed.
const MOST_JOBS: usize = 100_000;

#[derive(Args)]
#[command(next_help_heading = "Many machines")]
pub(crate) struct ClusterArgs {
    /// Submit the work to Slurm: what all jobs need, an array of jobs, and one that writes the
    /// tables; again, what is left of it. With `--dry-run` say what would be submitted.
    #[arg(long, group = "cluster")]
    pub(crate) slurm: bool,
    /// Say how far the jobs are that `--slurm` submitted, or other engines run.
    #[arg(long, group = "cluster")]
    pub(crate) slurm_status: bool,
    /// Only write the scripts, for Slurm, GNU parallel and Kubernetes.
    #[arg(long, group = "cluster")]
    pub(crate) scripts: bool,
    /// Jobs that share the work; `N%M` for at most M of them at a time.
    #[arg(long, requires = "cluster", default_value = "32")]
    pub(crate) array: Array,
    /// Slurm's partition.
    #[arg(long, requires = "cluster")]
    partition: Option<String>,
    /// Slurm's account.
    #[arg(long, requires = "cluster")]
    account: Option<String>,
    /// Time limit of a job, as Slurm writes it; a job that reaches it is queued again.
    #[arg(long, requires = "cluster")]
    time: Option<String>,
    /// What a job needs besides processors, as Slurm writes it: `gpu:1`.
    #[arg(long, requires = "cluster")]
    gres: Option<String>,
    /// Any other option of sbatch, for all jobs: `--sbatch=--mem=32G`.
    #[arg(long, requires = "cluster", value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Folder of the scripts, the jobs' output, and how far they are [default: one in
    /// target/reproduce/jobs, named by experiment and scale].
    #[arg(long, requires = "cluster")]
    pub(crate) jobs: Option<PathBuf>,
}

impl ClusterArgs {
    /// Whether the work, or what is asked about it, is a cluster's.
    pub(crate) fn is_asked(&self) -> bool {
        self.slurm || self.slurm_status || self.scripts
    }

    /// What is passed through to sbatch.
    pub(crate) fn sbatch_options(&self) -> Vec<String> {
        let named = [
            ("partition", &self.partition),
            ("account", &self.account),
            ("time", &self.time),
            ("gres", &self.gres),
        ];
        let given = |(name, value): (&str, &Option<String>)| {
            value.as_ref().map(|value| format!("--{name}={value}"))
        };
        named.into_iter().filter_map(given).chain(self.sbatch.iter().cloned()).collect()
    }
}

/// Size of a job array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Array {
    /// Jobs.
    pub(crate) count: usize,
    /// Most of them that run at a time.
    pub(crate) at_a_time: Option<usize>,
}

impl Array {
    /// `%M` for Slurm; nothing where there is no limit.
    pub(crate) fn limit(self) -> String {
        self.at_a_time.map(|most| format!("%{most}")).unwrap_or_default()
    }
}

impl FromStr for Array {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse().ok().filter(|number| (1..=MOST_JOBS).contains(number)).ok_or_else(|| {
                format!("expected jobs `N` or `N%M` from 1 to {MOST_JOBS}, found `{text}`")
            })
        };
        Ok(match text.split_once('%') {
            None => Self { count: number(text)?, at_a_time: None },
            Some((count, most)) => Self { count: number(count)?, at_a_time: Some(number(most)?) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_reads_count_and_limit_and_refuses_what_is_none() {
        let read = |text: &str| text.parse::<Array>();
        assert_eq!(read("32"), Ok(Array { count: 32, at_a_time: None }));
        assert_eq!(read("32%8").map(Array::limit), Ok("%8".into()));
        for wrong in ["0", "", "4%", "4%0", "1-4", "1e9", "1000000"] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("`N%M`"), "{error}");
        }
    }
}
