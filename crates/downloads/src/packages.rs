//! Fetching packages, and what is said about it.

use std::path::PathBuf;

use hub::{HubError, Manifest, Settings, Variant, preset};
use hub_download::{DownloadOptions, Planned, download, plan};
use indicatif::HumanBytes;

use crate::bars::Bars;

/// Fetches a package with progress and licence on standard error, and returns where its files are.
///
/// # Errors
/// What [`download`] cannot do.
pub fn fetch(
    manifest: &Manifest,
    options: &DownloadOptions,
    settings: &Settings,
) -> anyhow::Result<Vec<PathBuf>> {
    let bars = Bars::default();
    bars.say(&format!(
        "{}: licence {} ({}). {}",
        manifest.title, manifest.licence, manifest.licence_url, manifest.note
    ));
    let paths = download(manifest, options, settings, &|event| bars.show(&event))?;
    bars.clear()?;
    Ok(paths)
}

/// Fetches the package called `name` unless it can be used as it is.
///
/// # Errors
/// An unknown name, or what [`download`] cannot do.
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

/// What would be fetched of the package called `name`, as a line of text, where it is not here.
///
/// # Errors
/// An unknown name, or files that are not the package's.
pub fn missing(name: &str) -> anyhow::Result<Option<String>> {
    let (manifest, settings) = (preset(name)?, Settings::from_env());
    if is_here(manifest, &settings)? {
        return Ok(None);
    }
    let planned = plan(manifest, None, &settings);
    let missing = planned.iter().filter(|planned| planned.present.is_none());
    Ok(Some(format!("  to fetch: {name}, {} ({})", total(missing), manifest.licence)))
}

/// Which files of a package would be fetched, as lines of text.
///
/// # Errors
/// A variant that the package has not.
pub fn planned(
    manifest: &Manifest,
    variant: Option<Variant>,
    settings: &Settings,
) -> Result<Vec<String>, HubError> {
    manifest.check_variant(variant)?;
    let planned = plan(manifest, variant, settings);
    let mut lines = vec![
        format!("{}: {}", manifest.name, manifest.title),
        format!("  licence: {} ({}). {}", manifest.licence, manifest.licence_url, manifest.note),
    ];
    for source in manifest.sources() {
        lines.push(format!("  from: {} at {}", source.repository, source.revision));
    }
    for Planned { file, present } in &planned {
        let size = file.size.map_or("?".into(), |size| HumanBytes(size).to_string());
        let state = if present.is_some() { "here" } else { "to fetch" };
        let known = if file.digest().is_some() { "" } else { ", sha256 from the server" };
        lines.push(format!("  {state:<8}  {size:>11}  {}{known}", file.path));
    }
    let missing = planned.iter().filter(|planned| planned.present.is_none());
    lines.push(format!("  to fetch: {}", total(missing)));
    Ok(lines)
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
