//! Running units, in an order in which each finds what it depends on.

use std::time::{Duration, Instant};

use super::context::Context;
use super::decoded::Decoded;
use super::fit::fit;
use super::importance::{effects, estimates};
use super::library::Library;
use super::probe::{probe, search_to_convergence};
use super::sampling::{sample_pictures, together};
use super::scoring::{compare, score};
use super::skipping::{reuse_losses, times};
use super::snr::SnrMeter;
use super::store::Damage;
use super::students::{Judge, student};
use crate::ReproduceError;
use crate::plan::{self, Part, Shard, Shares, Unit, pruning_probe};

/// What happens in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A unit was computed.
    Progress(Progress),
    /// A stored file is damaged; what it held is computed again.
    Damaged(Damage),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Units done, those of earlier runs included.
    pub done: usize,
    /// Number of units.
    pub units: usize,
    /// Samples the U-Net still has to run on.
    pub unet_samples_left: u64,
    /// Expected time to the end.
    pub remaining: Duration,
}

/// Runs the parts' units that fall to `shard`, from where an earlier run was interrupted.
///
/// Runs of other shards may be under way in the same store, on this machine or another: every
/// result has its file, named by everything it depends on and written in one go.
///
/// # Errors
/// [`ReproduceError`]; all units finished before it stay stored.
pub fn work(
    context: &Context,
    parts: &[Part],
    shard: Shard,
    events: &mut dyn FnMut(Event),
) -> Result<(), ReproduceError> {
    done(context, parts, |shares| shares.of(shard), events)
}

/// Runs the units that several shards need, so that none of them has to; each would otherwise do
/// those it needs for itself.
///
/// # Errors
/// As [`work`].
pub fn prepare(
    context: &Context,
    parts: &[Part],
    events: &mut dyn FnMut(Event),
) -> Result<(), ReproduceError> {
    done(context, parts, Shares::common, events)
}

/// Runs those of the parts' units that `chosen` takes.
fn done(
    context: &Context,
    parts: &[Part],
    chosen: impl FnOnce(Shares) -> Vec<Unit>,
    events: &mut dyn FnMut(Event),
) -> Result<(), ReproduceError> {
    let (study, library) = (&context.study, Library::new(context));
    let worker = Worker::new(library);
    // What the students skip depends on a result.
    if let Some(probe) = pruning_probe(study, parts) {
        let unit = Unit::Probe(probe);
        if !is_done(&library, &unit, events) {
            worker.run(&[&unit], events)?;
        }
    }
    let strategies = library.strategies(parts)?;
    let units = plan::units(study, parts, Some(&strategies))?;
    let units = chosen(Shares::new(study, parts, units));
    let waiting: Vec<&Unit> =
        units.iter().filter(|unit| !is_done(&library, unit, events)).collect();
    let cost = |units: &[&Unit]| -> u64 {
        units.iter().fold(0, |sum: u64, unit| sum.saturating_add(plan::samples(study, unit)))
    };
    let total = cost(&waiting);
    let (start, mut left) = (Instant::now(), total);
    let mut rest = waiting.as_slice();
    while !rest.is_empty() {
        let together = together(rest, context.options.picture_batch).len().max(1);
        let (now, later) = rest.split_at(together);
        worker.run(now, events)?;
        rest = later;
        left -= cost(now);
        let share = left as f64 / (total - left).max(1) as f64;
        let remaining = Duration::try_from_secs_f64(start.elapsed().as_secs_f64() * share);
        events(Event::Progress(Progress {
            done: units.len() - rest.len(),
            units: units.len(),
            unet_samples_left: left,
            remaining: remaining.unwrap_or(Duration::MAX),
        }));
    }
    Ok(())
}

/// Whether the unit's result is there, whole; damage is said.
fn is_done(library: &Library<'_>, unit: &Unit, events: &mut dyn FnMut(Event)) -> bool {
    library.is_done(unit).unwrap_or_else(|damage| {
        events(Event::Damaged(damage));
        false
    })
}

/// Runs units, keeping what several of them need.
struct Worker<'a> {
    library: Library<'a>,
    snr: SnrMeter<'a>,
    decoded: Decoded<'a>,
    judge: Judge<'a>,
}

impl<'a> Worker<'a> {
    fn new(library: Library<'a>) -> Self {
        let (snr, decoded) = (SnrMeter::new(library), Decoded::new(library));
        Self { library, snr, decoded, judge: Judge::new(library) }
    }

    /// Computes and stores units that can be computed [`together`]; those they depend on must be
    /// done.
    fn run(&self, units: &[&Unit], events: &mut dyn FnMut(Event)) -> Result<(), ReproduceError> {
        let Some(first) = units.first() else { return Ok(()) };
        let done = match first {
            Unit::Probe(unit) => probe(&self.library, unit),
            Unit::Search(unit) => search_to_convergence(&self.library, unit),
            Unit::Estimates(unit) => estimates(&self.library, unit),
            Unit::Effects(unit) => effects(&self.library, unit),
            Unit::Fit(unit) => fit(&self.library, unit),
            Unit::Reuse(unit) => reuse_losses(&self.library, unit),
            Unit::Snr(sample) => self.snr.measure(sample),
            Unit::Picture(_) => sample_pictures(&self.library, &together(units, units.len())),
            Unit::Score(sample) => score(&self.library, &self.decoded, sample),
            Unit::Identity(pair) => compare(&self.library, &self.decoded, pair),
            Unit::Student(unit) => {
                student(&self.library, unit, &mut |damage| events(Event::Damaged(damage)))
            }
            Unit::Times(unit) => times(&self.library, unit),
            Unit::Fidelity(fidelity) => self.judge.compare(&self.decoded, fidelity),
        };
        let unit = first.to_string();
        done.map_err(|error| ReproduceError::Unit { unit, error: Box::new(error) })
    }
}
