//! Every comparison of a pipeline folder.

use std::path::Path;

use pipeline::Precision;

use crate::arithmetic::Arithmetic;
use crate::case::Case;
use crate::report::Report;
use crate::{probe_runs, text, trace, trajectories, unet, vae};

pub(crate) fn run(
    folder: &Path,
    name: &str,
    arithmetic: &Arithmetic,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let case = Case::open(folder, name, arithmetic)?;
    text::run(&case, report)?;
    unet::run(&case, report)?;
    vae::run(&case, report)?;
    // Guidance and the random networks enlarge the roundings of half precision from step to step
    // (to a quarter of the latents in ten), and the losses that a search decides by keep 0.8 % clear
    // of their bounds.
    let runs = arithmetic.dtype == Precision::F32;
    if runs {
        trajectories::run(&case, report)?;
    } else {
        let dtype = arithmetic.dtype;
        report
            .note(&format!("{name}: runs of several steps are compared in f32 alone, not {dtype}"));
    }
    for unused in case.golden.unused().iter().filter(|key| runs || !key.starts_with("traj/")) {
        report.missed(&case.label(unused), "no comparison asks for it");
    }
    if folder.join("golden_trace.safetensors").exists() {
        trace::run(&case, report)?;
    }
    if runs && folder.join("golden_probe.json").exists() {
        probe_runs::run(&case, report)?;
    }
    Ok(())
}
