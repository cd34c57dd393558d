//! The command: experiment by experiment, what would be done, or doing it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use reproduce::{Context, Event, Experiment, Part, RunOptions, Shard, Study};

use crate::args::ReproduceArgs;
use crate::cluster::{self, Planned};
use crate::dry_run::dry_run;
use crate::progress::{Bar, spoken};
use crate::progress_file::ProgressFile;

/// The workspace's root.
fn project_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

pub(crate) fn run(args: ReproduceArgs) -> anyhow::Result<()> {
    let root = project_root();
    let planned = planned(&args, &root)?;
    if args.cluster.is_asked() {
        return cluster::run(&args, &planned, &root);
    }
    let options = args.options()?;
    let progress = ProgressFile::new(args.progress_file.clone());
    let (mut total, mut measured) = (0.0, None);
    for Planned { file, study, parts } in planned {
        terminal::line(format_args!("{}: {}", study.name(), file.display()))?;
        if args.dry_run {
            let estimate = dry_run(&args, &study, &parts, &options, &root, measured)?;
            total += estimate.seconds();
            measured = estimate.measured;
        } else {
            compute(&args, study, &parts, &options, &root, &progress)?;
        }
    }
    if args.dry_run {
        terminal::line(format_args!("in all about {} of one {}", spoken(total), args.device))?;
        return Ok(());
    }
    Ok(progress.finish()?)
}

/// The experiments that are asked for, and what is made of each.
fn planned(args: &ReproduceArgs, root: &Path) -> anyhow::Result<Vec<Planned>> {
    let files = args.experiments(root)?;
    if files.len() > 1 && args.out.is_some() {
        bail!("--out is for one experiment: name it with --experiment");
    }
    let mut planned = Vec::new();
    for file in files {
        let experiment = Experiment::from_file(root.join(&file))?;
        let parts = experiment.parts(&args.parts());
        if !parts.is_empty() {
            let study = Study::new(experiment, args.scale(), root)?;
            planned.push(Planned { file, study, parts });
        }
    }
    if planned.is_empty() {
        bail!("none of the experiments makes such a table or figure");
    }
    Ok(planned)
}

fn compute(
    args: &ReproduceArgs,
    study: Study,
    parts: &[Part],
    options: &RunOptions,
    root: &Path,
    progress: &ProgressFile,
) -> anyhow::Result<()> {
    let shard = args.shard()?;
    #[cfg(feature = "download")]
    if !args.no_download {
        for package in study.packages() {
            downloads::fetch_missing(&package)?;
        }
    }
    let name = study.name();
    let out = args.out.clone().unwrap_or_else(|| root.join("target/reproduce").join(&name));
    // Prompts that have just been fetched may be fewer than were expected.
    let study = study.refreshed(root)?;
    let context = Context::new(study, root, &root.join(&args.store), options.clone())?;
    let start = Instant::now();
    let bar = Bar::new();
    let mut show = |event: Event| {
        bar.show(&event);
        if let Event::Progress(reached) = &event {
            progress.advance(&name, reached);
        }
    };
    if args.common || shard.is_some() {
        let context = context.synced();
        match shard {
            Some(shard) => reproduce::work(&context, parts, shard, &mut show)?,
            None => reproduce::prepare(&context, parts, &mut show)?,
        }
        bar.close();
        let what = match shard {
            Some(Shard { index, count }) => format!("shard {}/{count} is done", index + 1),
            None => "what several shards need is done".into(),
        };
        return terminal::line(what);
    }
    let outcome = reproduce::run(&context, parts, &out, &mut show)?;
    bar.close();
    let screen = console::Term::stdout();
    let width = screen.is_term().then(|| screen.size().1);
    for table in &outcome.tables {
        terminal::line(table.to_text(width))?;
    }
    let names: Vec<String> = outcome.files.iter().map(|path| path.display().to_string()).collect();
    let (names, time) = (names.join(", "), spoken(start.elapsed().as_secs_f64()));
    terminal::note(format_args!("wrote {names} in {time}"));
    Ok(())
}
