//! What a run would compute, fetch and keep, and how long it would take.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use indicatif::HumanBytes;
use reproduce::{Context, Part, Rate, ReproduceError, RunOptions, Shard, Study};

use crate::command::ReproduceArgs;

/// Says what a run would compute and fetch; returns how long it would take.
pub(crate) fn dry_run(
    args: &ReproduceArgs,
    study: &Study,
    parts: &[Part],
    options: &RunOptions,
    root: &Path,
) -> anyhow::Result<Duration> {
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let rate = match args.seconds_per_sample {
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => Rate::Known(seconds),
        Some(seconds) => bail!("expected --seconds-per-sample above 0, found {seconds}"),
        None => Rate::Measure(options),
    };
    #[cfg(feature = "download")]
    for package in study.packages() {
        if let Some(line) = downloads::missing(&package)? {
            println!("{line}");
        }
    }
    // What is not here yet has no results either.
    let store = root.join(&args.store);
    let context = match Context::new(study.clone(), root, &store, options.clone()) {
        Ok(context) => Some(context),
        Err(ReproduceError::Hub(_)) => None,
        Err(ReproduceError::Pipeline(pipeline::PipelineError::Hub(_))) => None,
        Err(error) => return Err(error.into()),
    };
    let plan = reproduce::plan(study, context.as_ref(), parts, shard, rate)?;
    println!("  {} units of work, {} of them done", plan.units, plan.done);
    println!(
        "  {} U-Net samples to compute, in at least {} calls of at most {} samples",
        plan.unet_samples,
        plan.unet_samples.div_ceil(options.unet_batch),
        options.unet_batch
    );
    let time = Duration::from_secs_f64(plan.unet_samples as f64 * plan.seconds_per_sample);
    let source = match rate {
        Rate::Known(_) => "as given".to_string(),
        Rate::Measure(_) => format!("measured just now with random weights on {}", args.device),
    };
    println!(
        "  about {} at {:.3} ms a sample, {source}; decoding and scoring come on top",
        spoken(time),
        plan.seconds_per_sample * 1e3
    );
    println!("  about {} of results on disk", HumanBytes(plan.disk_bytes));
    Ok(time)
}

/// A duration as people say it.
pub(crate) fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 120 * 60 => format!("{:.1} min", seconds as f64 / 60.0),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}
