use std::collections::BTreeMap;
use std::sync::Mutex;

use clap::Args;
use hub::{
    DownloadEvent, DownloadOptions, Manifest, Planned, Settings, Variant, download, packages, plan,
    preset,
};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Arguments of `cargo xtask download`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask download --list\n  cargo xtask download sd-turbo \
                        hps-v2.1\n  cargo xtask download sd-2.1 --variant fp16 --dry-run"
)]
pub struct DownloadArgs {
    /// Presets and packages, as `--list` names them.
    #[arg(required_unless_present = "list")]
    names: Vec<String>,
    /// Print what there is, with licences, and what is here.
    #[arg(long)]
    list: bool,
    /// Print which files would be fetched, their sizes and licences.
    #[arg(long)]
    dry_run: bool,
    /// Weights: fp16, fp32 or single-file; the preset's own where absent.
    #[arg(long)]
    variant: Option<Variant>,
    /// Hash files that are here already, too.
    #[arg(long)]
    verify: bool,
    /// Files fetched at a time.
    #[arg(long, default_value_t = 4)]
    workers: usize,
}

pub fn handle_command(args: DownloadArgs) -> anyhow::Result<()> {
    let settings = Settings::from_env();
    if args.list {
        list(&settings);
        return Ok(());
    }
    // A wrong name must not be found out after hours of downloading.
    let manifests = args.names.iter().map(|name| preset(name)).collect::<Result<Vec<_>, _>>()?;
    for manifest in manifests {
        if args.dry_run {
            dry_run(manifest, args.variant, &settings);
        } else {
            fetch(manifest, &args, &settings)?;
        }
    }
    Ok(())
}

/// The sizes of `files`, and whether some are unknown.
fn total<'a>(files: impl Iterator<Item = &'a Planned>) -> String {
    let (mut bytes, mut unknown) = (0, 0);
    for planned in files {
        match planned.file.size {
            Some(size) => bytes += size,
            None => unknown += 1,
        }
    }
    match unknown {
        0 => HumanBytes(bytes).to_string(),
        _ => format!("{} and {unknown} files whose size the server will say", HumanBytes(bytes)),
    }
}

fn list(settings: &Settings) {
    for manifest in packages() {
        let planned = plan(manifest, None, settings);
        let here = planned.iter().filter(|planned| planned.present.is_some()).count();
        println!("{:<13} {} ({})", manifest.name, manifest.title, manifest.licence);
        println!("{:13} {} of {} files are here", "", here, planned.len());
    }
    println!("kept in {} and {}", settings.hub_cache.display(), settings.torch_cache.display());
}

fn dry_run(manifest: &Manifest, variant: Option<Variant>, settings: &Settings) {
    let planned = plan(manifest, variant, settings);
    println!("{}: {}", manifest.name, manifest.title);
    println!("  licence: {} ({}). {}", manifest.licence, manifest.licence_url, manifest.note);
    for source in manifest.sources() {
        println!("  from: {} at {}", source.repository, source.revision);
    }
    for Planned { file, present } in &planned {
        let size = file.size.map_or("?".into(), |size| HumanBytes(size).to_string());
        let state = if present.is_some() { "here" } else { "to fetch" };
        let known = if file.digest().is_some() { "" } else { ", sha256 from the server" };
        println!("  {state:<8}  {size:>11}  {}{known}", file.path);
    }
    println!("  to fetch: {}", total(planned.iter().filter(|planned| planned.present.is_none())));
}

fn fetch(manifest: &Manifest, args: &DownloadArgs, settings: &Settings) -> anyhow::Result<()> {
    println!(
        "{}: licence {} ({}). {}",
        manifest.title, manifest.licence, manifest.licence_url, manifest.note
    );
    let options = DownloadOptions {
        variant: args.variant,
        workers: args.workers,
        verify: args.verify,
        ..DownloadOptions::default()
    };
    let bars = Bars::default();
    let paths = download(manifest, &options, settings, &|event| bars.show(&event))?;
    bars.all.clear()?;
    for path in paths {
        println!("{}", path.display());
    }
    Ok(())
}

/// A bar for each file on its way.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    files: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn show(&self, event: &DownloadEvent<'_>) {
        let Ok(mut files) = self.files.lock() else { return };
        let say = |text: String| {
            if self.all.println(&text).is_err() || self.all.is_hidden() {
                eprintln!("{text}");
            }
        };
        match event {
            DownloadEvent::Present { file } => say(format!("{file}: here already")),
            DownloadEvent::Started { file, size, resumed } => {
                let style = ProgressStyle::with_template(
                    "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = ProgressBar::new(*size).with_style(style).with_position(*resumed);
                files.insert(file.to_string(), self.all.add(bar.with_message(file.to_string())));
            }
            DownloadEvent::Advanced { file, bytes } => {
                if let Some(bar) = files.get(*file) {
                    bar.set_position(*bytes);
                }
            }
            DownloadEvent::Retrying { file, reason } => say(format!("{file}: {reason}; again")),
            DownloadEvent::Finished { file, verified } => {
                if let Some(bar) = files.remove(*file) {
                    bar.finish_and_clear();
                }
                let hash = if *verified { "hash verified" } else { "no hash is known of it" };
                say(format!("{file}: complete, {hash}"));
            }
        }
    }
}
