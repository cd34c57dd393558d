//! Reference outputs of open_clip, hpsv2, lpips and pytorch-fid.

mod case;
mod clip;
mod distances;
mod inception;

use std::path::Path;

use burn::tensor::Device;

use crate::report::Report;

pub(crate) fn run(
    (folder, name): (&Path, &str),
    root: &Path,
    device: &Device,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let case = case::Metrics::open((folder, name), root, device)?;
    clip::run(&case, report)?;
    inception::run(&case, report)?;
    distances::run(&case, report)?;
    for unused in case.golden.unused() {
        report.missed(&case.label(&unused), "no comparison asks for it");
    }
    Ok(())
}
