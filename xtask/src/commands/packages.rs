//! Fetching packages, and what is said about it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hub::{
    DownloadEvent, DownloadOptions, HubError, Manifest, Planned, Settings, Variant, download, plan,
    preset,
};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Fetches a package with progress bars, and returns where its files are.
pub fn fetch(
    manifest: &Manifest,
    options: &DownloadOptions,
    settings: &Settings,
) -> anyhow::Result<Vec<std::path::PathBuf>> {
    println!(
        "{}: licence {} ({}). {}",
        manifest.title, manifest.licence, manifest.licence_url, manifest.note
    );
    let bars = Bars::default();
    let paths = download(manifest, options, settings, &|event| bars.show(&event))?;
    bars.all.clear()?;
    Ok(paths)
}

/// Fetches a package unless it can be used as it is.
pub fn fetch_missing(name: &str) -> anyhow::Result<()> {
    let (manifest, settings) = (preset(name)?, Settings::from_env());
    if !is_here(manifest, &settings)? {
        fetch(manifest, &DownloadOptions::default(), &settings)?;
    }
    Ok(())
}

fn is_here(manifest: &Manifest, settings: &Settings) -> Result<bool, HubError> {
    let found = match manifest.is_preset() {
        true => hub::resolve(&manifest.name, settings).map(|_| ()),
        false => hub::installed(&manifest.name, settings).map(|_| ()),
    };
    match found {
        Ok(()) => Ok(true),
        Err(HubError::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says what would be fetched of a package, where it is not here.
pub fn print_missing(name: &str) -> anyhow::Result<()> {
    let (manifest, settings) = (preset(name)?, Settings::from_env());
    if !is_here(manifest, &settings)? {
        let planned = plan(manifest, None, &settings);
        let missing = planned.iter().filter(|planned| planned.present.is_none());
        println!("  to fetch: {name}, {} ({})", total(missing), manifest.licence);
    }
    Ok(())
}

/// Prints which files of a package would be fetched.
pub fn dry_run(manifest: &Manifest, variant: Option<Variant>, settings: &Settings) {
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
