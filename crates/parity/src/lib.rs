//! Compares the workspace's crates with reference outputs that diffusers, transformers and the
//! authors' code gave: every case in a folder, one line per tensor, and a failure for any excess or
//! any case that was not run.

#![warn(missing_docs)]

mod golden;
mod metrics;
mod pipelines;
mod probe_core;
mod probe_runs;
mod report;
mod schedulers;
mod text;
mod tokens;
mod trace;
mod trajectories;
mod unet;
mod vae;

use std::path::Path;

use anyhow::{Context, bail};

pub use report::Report;

/// Runs every reference output below `folder`.
///
/// Recognised are: folders of pipelines with a `golden.safetensors`, folders of metrics with a
/// `clip_config.json`, `schedulers/`, `tokens/` and `probe/`. Any other folder with reference outputs is reported as not run.
///
/// # Errors
/// Where a file is absent or broken, or there is nothing to run. Numerical excesses are in the
/// report.
pub fn run<'a>(folder: &Path, print: &'a mut dyn FnMut(&str)) -> anyhow::Result<Report<'a>> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("`{}`", folder.display()))?
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut report = Report::new(print);
    for entry in entries.into_iter().filter(|entry| entry.path().is_dir()) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let context = || format!("reference outputs in `{}`", path.display());
        if path.join("model_index.json").exists() {
            pipelines::run(&path, &name, &mut report).with_context(context)?;
        } else if path.join("probe_core.json").exists() {
            probe_core::run(&path.join("probe_core.json"), &mut report).with_context(context)?;
        } else if path.join("tokens.json").exists() {
            tokens::run(&path.join("tokens.json"), folder, &mut report).with_context(context)?;
        } else if path.join("clip_config.json").exists() {
            metrics::run(&path, folder, &name, &mut report).with_context(context)?;
        } else if name == "schedulers" {
            schedulers::run(&path, &mut report).with_context(context)?;
        } else {
            report.note(&format!("{name}: no comparison of this kind is implemented; not run"));
        }
    }
    if report.compared() == 0 {
        bail!("`{}` holds no reference outputs", folder.display());
    }
    Ok(report)
}
