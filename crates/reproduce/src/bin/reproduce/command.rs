//! The command: which experiments, which parts of them, on what device, and how far they are.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use pipeline::{DeviceChoice, Precision};
use reproduce::{Context, Experiment, Part, Progress, RunOptions, Scale, Shard, Study};

use crate::dry_run::{dry_run, spoken};

/// Where the paper's own experiments are.
const PAPER: &str = "experiments/paper";
/// The paper's printed figures, beside them.
const PRINTED: &str = "printed.toml";

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
    /// Only these tables: I, II, III, IV, V, VI.
    #[arg(long)]
    table: Vec<String>,
    /// Only these figures: 3, 4, or `pictures`.
    #[arg(long)]
    figure: Vec<String>,
    /// How much is run.
    #[arg(long, value_enum, default_value = "default")]
    scale: ScaleName,
    /// Print what would be run, how long it would take, and what must be fetched.
    #[arg(long)]
    dry_run: bool,
    /// The U-Net's time for one sample that `--dry-run` counts with; measured where absent.
    #[arg(long)]
    pub(crate) seconds_per_sample: Option<f64>,
    /// Do only the work of run i of n that share it; a run without this writes the tables.
    #[arg(long)]
    pub(crate) shard: Option<Shard>,
    /// Go on from stored results; this is always so, the flag is accepted for clarity.
    #[arg(long)]
    resume: bool,
    /// Do not fetch what is absent, but say so.
    #[arg(long)]
    no_download: bool,
    /// Folder for tables, figures and the report.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder in which the result of every unit of work is kept; several runs may share it.
    #[arg(long, default_value = "target/reproduce/store")]
    pub(crate) store: PathBuf,
    /// Device: cpu, cuda or cuda:n.
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

/// The workspace's root.
fn project_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

impl ReproduceArgs {
    /// The experiment files, relative to the project's root.
    fn experiments(&self, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
        if !self.experiment.is_empty() {
            return Ok(self.experiment.clone());
        }
        if self.scale != ScaleName::Paper {
            return Ok(vec!["experiments/emoji-sd.toml".into()]);
        }
        let folder = root.join(PAPER);
        let mut all: Vec<PathBuf> = std::fs::read_dir(&folder)
            .with_context(|| format!("`{}`", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        all.retain(|path| {
            path.extension().is_some_and(|end| end == "toml") && !path.ends_with(PRINTED)
        });
        all.sort();
        Ok(all)
    }

    fn options(&self) -> anyhow::Result<RunOptions> {
        let device = self.device.open()?;
        let own = if self.device == DeviceChoice::Cpu { 1 } else { 8 };
        let picture_batch = self.picture_batch.unwrap_or(own);
        if self.unet_batch == 0 || picture_batch == 0 {
            bail!("expected batches above 0");
        }
        let dtype = self.dtype.into();
        Ok(RunOptions { dtype, device, unet_batch: self.unet_batch, picture_batch })
    }
}

pub(crate) fn run(args: ReproduceArgs) -> anyhow::Result<()> {
    let root = project_root();
    let scale = match args.scale {
        ScaleName::Smoke => Scale::Smoke,
        ScaleName::Default => Scale::Default,
        ScaleName::Paper => Scale::Paper,
    };
    let wanted = parts(&args.table, &args.figure)?;
    let options = args.options()?;
    let files = args.experiments(&root)?;
    if files.len() > 1 && args.out.is_some() {
        bail!("--out is for one experiment: name it with --experiment");
    }
    let (mut nothing, mut total) = (true, Duration::ZERO);
    for file in files {
        let experiment = Experiment::from_file(root.join(&file))?;
        let parts = experiment.parts(&wanted);
        if parts.is_empty() {
            continue;
        }
        nothing = false;
        let study = Study::new(experiment, scale, &root)?;
        println!("{}: {}", study.name(), file.display());
        if args.dry_run {
            total += dry_run(&args, &study, &parts, &options, &root)?;
        } else {
            compute(&args, study, &parts, &options, &root)?;
        }
    }
    if nothing {
        bail!("none of the experiments makes such a table or figure");
    }
    if args.dry_run {
        println!("in all about {} of one {}", spoken(total), args.device);
    }
    Ok(())
}

fn compute(
    args: &ReproduceArgs,
    study: Study,
    parts: &[Part],
    options: &RunOptions,
    root: &Path,
) -> anyhow::Result<()> {
    #[cfg(feature = "download")]
    if !args.no_download {
        for package in study.packages() {
            downloads::fetch_missing(&package)?;
        }
    }
    let name = study.name();
    let out = args.out.clone().unwrap_or_else(|| root.join("target/reproduce").join(name));
    // Prompts that have just been fetched may be fewer than were expected.
    let study = study.refreshed(root)?;
    let context = Context::new(study, root, &root.join(&args.store), options.clone())?;
    let start = Instant::now();
    let bar = Bar::new();
    let mut show = |progress: Progress| bar.show(&progress);
    if let Some(shard) = args.shard {
        reproduce::work(&context, parts, shard, &mut show)?;
        bar.close();
        println!("shard {}/{} is done", shard.index + 1, shard.count);
        return Ok(());
    }
    let outcome = reproduce::run(&context, parts, &out, &mut show)?;
    bar.close();
    for table in &outcome.tables {
        println!("{}", table.to_text());
    }
    eprintln!("{} in {}", files(&outcome.files), spoken(start.elapsed()));
    Ok(())
}

/// A progress bar, or a line now and then where there is no terminal.
struct Bar {
    bar: ProgressBar,
    last: std::cell::Cell<Instant>,
}

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} units {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(0).with_style(style), last: Instant::now().into() }
    }

    fn show(&self, progress: &Progress) {
        self.bar.set_length(progress.units as u64);
        self.bar.set_position(progress.done as u64);
        let left = spoken(progress.remaining);
        self.bar.set_message(format!("{left} left"));
        if self.bar.is_hidden() && self.last.get().elapsed() > Duration::from_secs(15) {
            self.last.set(Instant::now());
            eprintln!("{}/{} units, {left} left", progress.done, progress.units);
        }
    }

    fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn files(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("wrote {}", names.join(", "))
}

fn parts(tables: &[String], figures: &[String]) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for table in tables {
        let found = Part::table(table);
        parts.push(
            found.with_context(|| format!("expected a table from I to VI, found `{table}`"))?,
        );
    }
    for figure in figures {
        let found = Part::figure(figure);
        parts
            .push(found.with_context(|| {
                format!("expected figure 3, 4 or `pictures`, found `{figure}`")
            })?);
    }
    Ok(parts)
}
