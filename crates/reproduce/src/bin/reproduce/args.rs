//! The command line: which experiments, which parts of them, and how they are run.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};
use pipeline::{DeviceChoice, Precision};
use reproduce::{Part, RunOptions, Scale, Shard};

use crate::cluster::{ClusterArgs, shard_of_array};

/// Where the paper's own experiments are.
const PAPER: &str = "experiments/paper";
/// The paper's printed figures, beside them.
const PRINTED: &str = "printed.toml";
/// Longest time of one sample that is believed, in seconds.
const SLOWEST: f64 = 1e6;

#[derive(Parser)]
#[command(name = "cargo xtask reproduce", version)]
#[command(about = "Runs the paper's experiments on a model, and writes its tables and figures")]
#[command(after_help = "Examples:\n  cargo xtask reproduce\n  cargo xtask reproduce --table I \
                        --scale smoke\n  cargo xtask reproduce --scale paper --dry-run \
                        --seconds-per-sample 0.02\n  cargo xtask reproduce --scale paper --device \
                        cuda --dtype f16 --shard 1/8")]
pub(crate) struct ReproduceArgs {
    /// Experiment files [default: that of the shipped model; with `--scale paper` those of the
    /// paper's four models].
    #[arg(long)]
    experiment: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Only these tables: I, II, III, IV, V, VI, `I-seeds` (I for one prompt and many seeds), `controls`
    /// (schedules of the same mean), `fewer-steps`, A (which importance is true).
    #[arg(long, value_parser = table)]
    table: Vec<Named>,
    /// Only these figures: 3, 4, `pictures`, or `skipping` (what skipped blocks save, and cost).
    #[arg(long, value_parser = figure)]
    figure: Vec<Named>,
    /// How much is run.
    #[arg(long, value_enum, default_value = "default")]
    scale: ScaleName,
    /// Print what would be run, how long it would take, and what must be fetched.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The U-Net's time for one sample that `--dry-run` counts with; estimated where absent.
    #[arg(long, value_parser = seconds)]
    pub(crate) seconds_per_sample: Option<f64>,
    /// Do only the work of run i of n that share it; a run without this writes the tables. In a job
    /// array of Slurm the array says it.
    #[arg(long)]
    shard: Option<Shard>,
    /// Do only the work that several shards need, before them.
    #[arg(long, conflicts_with = "shard")]
    pub(crate) common: bool,
    /// Keep saying in this file how far the run is, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) progress_file: Option<PathBuf>,
    /// Go on from stored results; this is always so, the flag is accepted for clarity.
    #[arg(long)]
    resume: bool,
    /// Do not fetch what is absent, but say so.
    #[arg(long)]
    pub(crate) no_download: bool,
    /// Folder for tables, figures and the report.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Folder in which the result of every unit of work is kept; several runs may share it.
    #[arg(long, default_value = "target/reproduce/store")]
    pub(crate) store: PathBuf,
    /// Device: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Most samples of one U-Net call of a probe.
    #[arg(long, default_value_t = 32, value_parser = batch())]
    unet_batch: usize,
    /// Pictures sampled together [default: 1 on the CPU, 8 on a GPU].
    #[arg(long, value_parser = batch())]
    picture_batch: Option<usize>,
}

/// A part as the user named it.
#[derive(Clone)]
struct Named {
    part: Part,
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScaleName {
    Smoke,
    Default,
    Paper,
}

impl ReproduceArgs {
    /// How much is run.
    pub(crate) fn scale(&self) -> Scale {
        match self.scale {
            ScaleName::Smoke => Scale::Smoke,
            ScaleName::Default => Scale::Default,
            ScaleName::Paper => Scale::Paper,
        }
    }

    /// The tables and figures that are asked for; none where all are.
    pub(crate) fn parts(&self) -> Vec<Part> {
        self.table.iter().chain(&self.figure).map(|named| named.part).collect()
    }

    /// The shard this run does, where it does one: that of the command line, or of the job array it
    /// is in.
    pub(crate) fn shard(&self) -> anyhow::Result<Option<Shard>> {
        match self.shard {
            None if !self.common => shard_of_array(&|name| std::env::var(name).ok()),
            given => Ok(given),
        }
    }

    /// What a run of the same work is called with, wherever it is started: no shard, and nothing to
    /// fetch.
    pub(crate) fn words(&self, root: &Path, files: &[PathBuf]) -> Vec<String> {
        let path = |path: &Path| root.join(path).display().to_string();
        let mut words = Vec::new();
        let mut add = |option: &str, value: String| words.push(format!("--{option}={value}"));
        files.iter().for_each(|file| add("experiment", path(file)));
        self.table.iter().for_each(|named| add("table", named.name.clone()));
        self.figure.iter().for_each(|named| add("figure", named.name.clone()));
        add("scale", self.scale().name().into());
        add("store", path(&self.store));
        if let Some(out) = &self.out {
            let out = std::path::absolute(out).unwrap_or_else(|_| out.clone());
            add("out", out.display().to_string());
        }
        add("device", self.device.to_string());
        add("dtype", self.dtype.name().into());
        add("unet-batch", self.unet_batch.to_string());
        if let Some(batch) = self.picture_batch {
            add("picture-batch", batch.to_string());
        }
        words.push("--no-download".into());
        words
    }

    /// The experiment files, relative to the project's root.
    pub(crate) fn experiments(&self, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
        if !self.experiment.is_empty() {
            return Ok(self.experiment.clone());
        }
        if self.scale != ScaleName::Paper {
            return Ok(vec!["experiments/emoji-sd.toml".into()]);
        }
        let folder = root.join(PAPER);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .with_context(|| format!("`{}`", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.retain(|path| {
            path.extension().is_some_and(|end| end == "toml") && !path.ends_with(PRINTED)
        });
        files.sort();
        Ok(files)
    }

    /// How the work is done.
    pub(crate) fn options(&self) -> anyhow::Result<RunOptions> {
        let device = self.device.open()?;
        let usual = if self.device == DeviceChoice::Cpu { 1 } else { 8 };
        let picture_batch = self.picture_batch.unwrap_or(usual);
        let dtype = self.dtype.into();
        Ok(RunOptions { dtype, device, unet_batch: self.unet_batch, picture_batch })
    }
}

fn batch() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}

fn table(text: &str) -> Result<Named, String> {
    named(Part::table(text), text).ok_or_else(|| {
        format!(
            "expected a table from I to VI, `I-seeds`, `controls`, `fewer-steps` or A, found `{text}`"
        )
    })
}

fn named(part: Option<Part>, text: &str) -> Option<Named> {
    Some(Named { part: part?, name: text.into() })
}

fn figure(text: &str) -> Result<Named, String> {
    named(Part::figure(text), text)
        .ok_or_else(|| format!("expected figure 3, 4, `pictures` or `skipping`, found `{text}`"))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= SLOWEST => Ok(seconds),
        _ => Err(format!("expected seconds above 0 and at most {SLOWEST:e}, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_are_refused_by_name() {
        for (option, value) in [
            ("--seconds-per-sample", "1e18"),
            ("--seconds-per-sample", "inf"),
            ("--seconds-per-sample", "NaN"),
            ("--seconds-per-sample", "0"),
            ("--table", "VII"),
            ("--figure", "5"),
            ("--shard", "3/2"),
            ("--unet-batch", "0"),
            ("--picture-batch", "18446744073709551615"),
        ] {
            let argument = format!("{option}={value}");
            let error = ReproduceArgs::try_parse_from(["reproduce", &argument]).err().unwrap();
            let text = error.to_string();
            assert!(error.exit_code() == 2 && text.contains(option), "{text}");
            assert!(text.contains(value), "{text}");
        }
        let tables = ["reproduce", "--table=controls", "--table", "I-seeds", "--table=fewer-steps"];
        let parts = ReproduceArgs::try_parse_from(tables).unwrap().parts();
        assert_eq!(parts, [Part::Controls, Part::Table1Seeds, Part::FewerSteps]);
        let args = ReproduceArgs::try_parse_from(["reproduce", "--seconds-per-sample=0.5"]);
        assert_eq!(args.unwrap().seconds_per_sample, Some(0.5));
    }

    #[test]
    fn words_call_the_same_run_again() {
        let given = [
            "reproduce",
            "--table=I",
            "--figure",
            "pictures",
            "--scale=smoke",
            "--dtype",
            "f16",
            "--picture-batch=3",
            "--slurm",
            "--array=4%2",
            "--time=1:00:00",
            "--sbatch=--mem=4G",
        ];
        let args = ReproduceArgs::try_parse_from(given).unwrap();
        assert_eq!(args.cluster.sbatch_options(), ["--time=1:00:00", "--mem=4G"]);
        let words = args.words(Path::new("/project"), &["experiments/a.toml".into()]);
        let again = std::iter::once("reproduce".to_string()).chain(words.iter().cloned());
        let again = ReproduceArgs::try_parse_from(again).unwrap();
        assert_eq!(again.words(Path::new("/elsewhere"), &again.experiment), words);
        assert!(!again.cluster.is_asked() && again.parts() == args.parts() && again.no_download);
        assert!(words.contains(&"--experiment=/project/experiments/a.toml".to_string()));
        for alone in ["--time=1", "--array=4", "--sbatch=--mem=1"] {
            assert!(ReproduceArgs::try_parse_from(["reproduce", alone]).is_err(), "{alone}");
        }
    }
}
