//! The command line: which experiments, which parts of them, and how they are run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use pipeline::{DeviceChoice, Precision};
use reproduce::{Part, RunOptions, Scale, Shard};

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
    /// Only these tables: I, II, III, IV, V, VI, `I-seeds` (I for one prompt and many seeds), `controls`
    /// (schedules of the same mean), `fewer-steps`, A (which importance is true).
    #[arg(long, value_parser = table)]
    table: Vec<Part>,
    /// Only these figures: 3, 4, `pictures`, or `skipping` (what skipped blocks save, and cost).
    #[arg(long, value_parser = figure)]
    figure: Vec<Part>,
    /// How much is run.
    #[arg(long, value_enum, default_value = "default")]
    scale: ScaleName,
    /// Print what would be run, how long it would take, and what must be fetched.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The U-Net's time for one sample that `--dry-run` counts with; estimated where absent.
    #[arg(long, value_parser = seconds)]
    pub(crate) seconds_per_sample: Option<f64>,
    /// Do only the work of run i of n that share it; a run without this writes the tables.
    #[arg(long)]
    pub(crate) shard: Option<Shard>,
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
    /// Device: cpu, cuda[:n] or wgpu[:n].
    #[arg(long, default_value = "cpu")]
    pub(crate) device: DeviceChoice,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Most samples of one U-Net call of a probe.
    #[arg(long, default_value_t = 32)]
    unet_batch: usize,
    /// Pictures sampled together [default: 1 on the CPU, 8 on a GPU].
    #[arg(long)]
    picture_batch: Option<usize>,
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
        self.table.iter().chain(&self.figure).copied().collect()
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
        if self.unet_batch == 0 || picture_batch == 0 {
            bail!("expected batches above 0");
        }
        let dtype = self.dtype.into();
        Ok(RunOptions { dtype, device, unet_batch: self.unet_batch, picture_batch })
    }
}

fn table(text: &str) -> Result<Part, String> {
    Part::table(text).ok_or_else(|| {
        format!(
            "expected a table from I to VI, `I-seeds`, `controls`, `fewer-steps` or A, found `{text}`"
        )
    })
}

fn figure(text: &str) -> Result<Part, String> {
    Part::figure(text)
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
}
