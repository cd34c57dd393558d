//! How far the jobs are.

use super::jobs::{Jobs, Kind};
use super::queue::Queue;
use super::submit::Submitted;
use crate::progress::spoken;
use crate::progress_file::Reached;

/// Says how far each job is, by what it wrote itself and, where jobs were submitted to Slurm, by its
/// queue.
pub(crate) fn status(jobs: &Jobs) -> anyhow::Result<()> {
    let submitted = Submitted::read(jobs)?;
    let queue = match &submitted {
        Some(_) => Some(Queue::read()?),
        None => None,
    };
    let shards = submitted.as_ref().map_or(jobs.array.count, |submitted| submitted.count);
    let all = [(Kind::Common, 1)]
        .into_iter()
        .chain((1..=shards).map(|shard| (Kind::Shard, shard)))
        .chain([(Kind::Merge, 1)]);
    let (mut finished, mut gone, mut count) = (0, 0, 0);
    for (kind, shard) in all {
        let reached = Reached::read(&jobs.progress(kind, shard));
        let queued = match (&submitted, &queue) {
            (Some(submitted), Some(queue)) => submitted.state(queue, kind, shard),
            _ => None,
        };
        let is_done = reached.as_ref().is_some_and(|reached| reached.finished);
        let state = match (is_done, queued) {
            (true, _) => "finished".into(),
            (false, Some(state)) => state,
            (false, None) if submitted.is_some() => "not in the queue".into(),
            (false, None) => "not finished".into(),
        };
        count += 1;
        finished += usize::from(is_done);
        gone += usize::from(state == "not in the queue");
        let name = match kind {
            Kind::Shard => format!("shard {shard}/{shards}"),
            _ => kind.name().into(),
        };
        terminal::line(format!("{name:<14} {state:<24} {}", far(reached)).trim_end())?;
    }
    terminal::line(format_args!("{finished} of {count} jobs finished"))?;
    if gone > 0 {
        terminal::line(format_args!(
            "{gone} neither finished nor in the queue: the same command with --slurm submits them \
             again; their output is in `{}`",
            jobs.folder.join("logs").display()
        ))?;
    }
    Ok(())
}

/// How far a job says that it is.
fn far(reached: Option<Reached>) -> String {
    match reached {
        None => String::new(),
        Some(reached) if reached.units == 0 => String::new(),
        Some(reached) if reached.finished => format!("{} units", reached.units),
        Some(Reached { study, done, units, seconds_left, .. }) => {
            format!("{done}/{units} units of {study}, {} left", spoken(seconds_left))
        }
    }
}
