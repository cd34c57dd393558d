//! What a run would compute, fetch and keep, and how long it would take.

use std::path::Path;

use indicatif::HumanBytes;
use pipeline::PipelineError;
use reproduce::{
    Context, Estimate, MeasuredRate, Part, Rate, ReproduceError, RunOptions, Shard, Study, estimate,
};

use crate::args::ReproduceArgs;
use crate::progress::spoken;

/// Says what a run would compute and fetch. The machine is measured for the first experiment, which
/// stands for the others: `earlier` is what an earlier call returned.
pub(crate) fn dry_run(
    args: &ReproduceArgs,
    study: &Study,
    parts: &[Part],
    options: &RunOptions,
    root: &Path,
    earlier: Option<MeasuredRate>,
) -> anyhow::Result<Estimate> {
    let shard = args.shard()?.unwrap_or(Shard::WHOLE);
    let rate = match (args.seconds_per_sample, earlier) {
        (Some(seconds), _) => Rate::Known(seconds),
        (None, Some(earlier)) => Rate::Measured(earlier),
        (None, None) => Rate::Measure(options),
    };
    #[cfg(feature = "download")]
    for package in study.packages() {
        if let Some(line) = downloads::missing(&package)? {
            terminal::line(line)?;
        }
    }
    // What is not here yet has no results either.
    let store = root.join(&args.store);
    let context = match Context::new(study.clone(), root, &store, options.clone()) {
        Ok(context) => Some(context),
        Err(ReproduceError::Hub(_) | ReproduceError::Pipeline(PipelineError::Hub(_))) => None,
        Err(error) => return Err(error.into()),
    };
    let estimate = estimate(study, context.as_ref(), parts, shard, rate)?;
    terminal::line(format_args!(
        "  {} units of work, {} of them done",
        estimate.units, estimate.done
    ))?;
    terminal::line(format_args!(
        "  {} U-Net samples to compute, in at least {} calls of at most {} samples",
        estimate.unet_samples,
        estimate.unet_samples.div_ceil(options.unet_batch as u64),
        options.unet_batch
    ))?;
    let source = match estimate.measured {
        None => "as given".to_string(),
        Some(measured) => {
            let [timed, levels] = measured.levels;
            format!(
                "estimated: {:.1} G multiply-accumulates a sample at {:.1} G a second, which {} \
                 just did on {timed} of a U-Net's {levels} levels with random weights",
                measured.macs_per_sample as f64 / 1e9,
                measured.macs_per_second / 1e9,
                args.device
            )
        }
    };
    terminal::line(format_args!(
        "  about {} at {:.4} s a sample ({source}); decoding and scoring come on top",
        spoken(estimate.seconds()),
        estimate.seconds_per_sample
    ))?;
    terminal::line(format_args!(
        "  about {} of results on disk, in {} files",
        HumanBytes(estimate.disk_bytes),
        estimate.files
    ))?;
    Ok(estimate)
}
