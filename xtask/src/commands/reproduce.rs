use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reproduce::{Context, Experiment, Part, Scale};

use crate::project_root;

/// Arguments of `cargo xtask reproduce`.
#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask reproduce\n  cargo xtask reproduce --table I \
                        --scale smoke\n  cargo xtask reproduce --scale paper --dry-run")]
pub struct ReproduceArgs {
    /// Experiment file.
    #[arg(long, default_value = "experiments/emoji-sd.toml")]
    experiment: PathBuf,
    /// Only these tables: I, II, III, IV, V, VI.
    #[arg(long)]
    table: Vec<String>,
    /// Only these figures: 4, or `pictures`.
    #[arg(long)]
    figure: Vec<String>,
    /// How much is run.
    #[arg(long, value_enum, default_value = "default")]
    scale: ScaleName,
    /// Print what would be run and how long it would take.
    #[arg(long)]
    dry_run: bool,
    /// Go on from stored results; this is always so, the flag is accepted for clarity.
    #[arg(long)]
    resume: bool,
    /// Folder for tables, figures and the report.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder in which the result of every unit of work is kept.
    #[arg(long, default_value = "target/reproduce/store")]
    store: PathBuf,
    /// Device: cpu, cuda or cuda:n.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Data type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleName {
    Smoke,
    Default,
    Paper,
}

pub fn handle_command(args: ReproduceArgs) -> anyhow::Result<()> {
    let root = project_root();
    let experiment = Experiment::from_file(root.join(&args.experiment))?;
    let (scale, scale_name) = match args.scale {
        ScaleName::Smoke => (Scale::Smoke, "smoke"),
        ScaleName::Default => (Scale::Default, "default"),
        ScaleName::Paper => (Scale::Paper, "paper"),
    };
    let parts = parts(&args.table, &args.figure)?;
    let device = pipeline::parse_device(&args.device)?;
    let dtype = pipeline::parse_dtype(&args.dtype)?;
    let name = format!("{}-{scale_name}", experiment.name);
    let out = args.out.unwrap_or_else(|| root.join("target/reproduce").join(name));
    let store = root.join(&args.store);
    let context = Context::new(experiment, scale, &root, &store, dtype, &device)?;
    if args.dry_run {
        return dry_run(&context, &parts);
    }
    let start = Instant::now();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} units {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    let mut last = Instant::now();
    let outcome = reproduce::run(&context, &parts, &out, &mut |progress| {
        bar.set_length(progress.units as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} left", spoken(progress.remaining)));
        if bar.is_hidden() && last.elapsed() > Duration::from_secs(15) {
            last = Instant::now();
            let left = spoken(progress.remaining);
            eprintln!("{}/{} units, {left} left", progress.done, progress.units);
        }
    })?;
    bar.finish_and_clear();
    for table in &outcome.tables {
        println!("{}", table.to_text());
    }
    eprintln!("{} in {}", files(&outcome.files), spoken(start.elapsed()));
    Ok(())
}

fn files(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("wrote {}", names.join(", "))
}

fn dry_run(context: &Context, parts: &[Part]) -> anyhow::Result<()> {
    let plan = reproduce::plan(context, parts)?;
    println!("{} units of work, {} of them done", plan.units, plan.done);
    println!("{} U-Net samples to compute", plan.unet_samples);
    let seconds = plan.unet_samples as f64 * plan.seconds_per_sample;
    println!(
        "about {} at {:.2} ms a sample, measured on a full batch just now",
        spoken(Duration::from_secs_f64(seconds)),
        plan.seconds_per_sample * 1e3
    );
    Ok(())
}

fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{:.1} min", seconds as f64 / 60.0),
    }
}

fn parts(tables: &[String], figures: &[String]) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for table in tables {
        parts.push(match table.to_uppercase().as_str() {
            "I" | "1" => Part::Table1,
            "II" | "2" => Part::Table2,
            "III" | "3" | "IV" | "4" => Part::Table3And4,
            "V" | "5" | "VI" | "6" => Part::Table5And6,
            _ => bail!("expected a table from I to VI, found `{table}`"),
        });
    }
    for figure in figures {
        parts.push(match figure.as_str() {
            "4" => Part::Figure4,
            "pictures" => Part::Pictures,
            _ => bail!("expected figure 4 or `pictures`, found `{figure}`"),
        });
    }
    if parts.is_empty() {
        return Ok(Part::ALL.to_vec());
    }
    parts.sort();
    parts.dedup();
    Ok(parts)
}
