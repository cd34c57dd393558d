//! What a run would do and take.

use super::context::{Context, RunOptions};
use super::library::Library;
use super::rate::{MeasuredRate, measure};
use crate::ReproduceError;
use crate::plan::{self, Part, Shard, Shares, Study, Unit, pruning_probe};

/// What a run would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Number of units.
    pub units: usize,
    /// Units whose results are stored already.
    pub done: usize,
    /// Samples the U-Net still has to run on.
    pub unet_samples: u64,
    /// Bytes the results still to be made take, roughly.
    pub disk_bytes: u64,
    /// Files of them.
    pub files: u64,
    /// Seconds one sample takes.
    pub seconds_per_sample: f64,
    /// What they were estimated from, where they were not given.
    pub measured: Option<MeasuredRate>,
}

impl Estimate {
    /// Seconds the U-Net takes.
    pub fn seconds(&self) -> f64 {
        self.unet_samples as f64 * self.seconds_per_sample
    }
}

/// Where the time of one sample comes from.
#[derive(Debug, Clone, Copy)]
pub enum Rate<'a> {
    /// It is known, in seconds.
    Known(f64),
    /// It is estimated from the U-Net's multiply-accumulates and a short measurement.
    Measure(&'a RunOptions),
    /// It is estimated from the U-Net's multiply-accumulates and an earlier measurement.
    Measured(MeasuredRate),
}

/// What the parts would cost. Without a context nothing counts as done.
///
/// # Errors
/// [`ReproduceError`].
pub fn estimate(
    study: &Study,
    context: Option<&Context>,
    parts: &[Part],
    shard: Shard,
    rate: Rate<'_>,
) -> Result<Estimate, ReproduceError> {
    let library = context.map(Library::new);
    // What is damaged is computed again.
    let is_done = |unit: &Unit| {
        library.as_ref().is_some_and(|library| library.is_done(unit).unwrap_or(false))
    };
    let probed = pruning_probe(study, parts).is_some_and(|probe| is_done(&Unit::Probe(probe)));
    let strategies = match &library {
        Some(library) if probed => Some(library.strategies(parts)?),
        _ => None,
    };
    let units = plan::units(study, parts, strategies.as_deref())?;
    let units = Shares::new(study, parts, units).of(shard);
    let (mut done, mut unet_samples, mut disk_bytes, mut files) = (0, 0u64, 0u64, 0u64);
    for unit in &units {
        if is_done(unit) {
            done += 1;
        } else {
            unet_samples = unet_samples.saturating_add(plan::samples(study, unit));
            disk_bytes = disk_bytes.saturating_add(plan::bytes(study, unit));
            files = files.saturating_add(plan::files(study, unit));
        }
    }
    let (seconds_per_sample, measured) = match rate {
        Rate::Known(seconds) => (seconds, None),
        Rate::Measure(options) => {
            let measured = measure(study, options);
            (measured.seconds_per_sample(), Some(measured))
        }
        Rate::Measured(earlier) => {
            let measured = earlier.applied_to(study);
            (measured.seconds_per_sample(), Some(measured))
        }
    };
    let units = units.len();
    Ok(Estimate { units, done, unet_samples, disk_bytes, files, seconds_per_sample, measured })
}
