//! Every comparison of a pipeline folder.

use std::path::Path;

use crate::case::Case;
use crate::report::Report;
use crate::{probe_runs, text, trace, trajectories, unet, vae};

pub(crate) fn run(folder: &Path, name: &str, report: &mut Report<'_>) -> anyhow::Result<()> {
    let case = Case::open(folder, name)?;
    text::run(&case, report)?;
    unet::run(&case, report)?;
    vae::run(&case, report)?;
    trajectories::run(&case, report)?;
    for unused in case.golden.unused() {
        report.missed(&case.label(&unused), "no comparison asks for it");
    }
    if folder.join("golden_trace.safetensors").exists() {
        trace::run(&case, report)?;
    }
    if folder.join("golden_probe.json").exists() {
        probe_runs::run(&case, report)?;
    }
    Ok(())
}
