use crate::plan::{self, Shard};
use crate::rate::seconds_per_sample;
use crate::study::Study;
use crate::units::Runner;
use crate::{Context, Part, ReproduceError, RunOptions};

/// What a run would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Units in all.
    pub units: usize,
    /// Units whose results are stored already.
    pub done: usize,
    /// Samples the U-Net still has to run on.
    pub unet_samples: usize,
    /// Bytes the results still to be made take, roughly.
    pub disk_bytes: u64,
    /// Seconds one sample takes: given, or measured just now with random weights.
    pub seconds_per_sample: f64,
}

/// What the parts would cost. Without a context nothing counts as done.
///
/// # Errors
/// [`ReproduceError`].
pub fn plan(
    study: &Study,
    context: Option<&Context>,
    parts: &[Part],
    shard: Shard,
    rate: Rate<'_>,
) -> Result<Plan, ReproduceError> {
    let units = plan::units(study, parts, shard)?;
    let runner = context.map(Runner::new).transpose()?;
    let (mut done, mut unet_samples, mut disk_bytes) = (0, 0, 0);
    for unit in &units {
        let is_done = match &runner {
            Some(runner) => runner.is_done(unit)?,
            None => false,
        };
        if is_done {
            done += 1;
        } else {
            unet_samples += plan::cost(study, unit);
            disk_bytes += plan::bytes(study, unit);
        }
    }
    let seconds_per_sample = match rate {
        Rate::Known(seconds) => seconds,
        Rate::Measure(options) => seconds_per_sample(study, options),
    };
    Ok(Plan { units: units.len(), done, unet_samples, disk_bytes, seconds_per_sample })
}

/// Where the time of one sample comes from.
#[derive(Debug, Clone, Copy)]
pub enum Rate<'a> {
    /// It is known, in seconds.
    Known(f64),
    /// It is measured.
    Measure(&'a RunOptions),
}
