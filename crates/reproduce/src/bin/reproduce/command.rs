//! The command: experiment by experiment, what would be done, or doing it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use reproduce::{Context, Event, Experiment, Part, RunOptions, Study};

use crate::args::ReproduceArgs;
use crate::dry_run::dry_run;
use crate::progress::{Bar, spoken};

/// The workspace's root.
fn project_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

pub(crate) fn run(args: ReproduceArgs) -> anyhow::Result<()> {
    let root = project_root();
    let options = args.options()?;
    let files = args.experiments(&root)?;
    if files.len() > 1 && args.out.is_some() {
        bail!("--out is for one experiment: name it with --experiment");
    }
    let (mut nothing, mut total, mut measured) = (true, 0.0, None);
    for file in files {
        let experiment = Experiment::from_file(root.join(&file))?;
        let parts = experiment.parts(&args.parts());
        if parts.is_empty() {
            continue;
        }
        nothing = false;
        let study = Study::new(experiment, args.scale(), &root)?;
        terminal::line(format_args!("{}: {}", study.name(), file.display()))?;
        if args.dry_run {
            let estimate = dry_run(&args, &study, &parts, &options, &root, measured)?;
            total += estimate.seconds();
            measured = estimate.measured;
        } else {
            compute(&args, study, &parts, &options, &root)?;
        }
    }
    if nothing {
        bail!("none of the experiments makes such a table or figure");
    }
    if args.dry_run {
        terminal::line(format_args!("in all about {} of one {}", spoken(total), args.device))?;
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
    let mut show = |event: Event| bar.show(&event);
    if let Some(shard) = args.shard {
        reproduce::work(&context, parts, shard, &mut show)?;
        bar.close();
        terminal::line(format_args!("shard {}/{} is done", shard.index + 1, shard.count))?;
        return Ok(());
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
