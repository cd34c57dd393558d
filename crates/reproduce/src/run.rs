use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::{self, Shard};
use crate::tables;
use crate::units::{Runner, Unit};
use crate::{Context, Part, ReproduceError, Table, html};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Units done, those of earlier runs included.
    pub done: usize,
    /// Units in all.
    pub units: usize,
    /// Samples the U-Net still has to run on.
    pub unet_samples_left: usize,
    /// Expected time to the end.
    pub remaining: Duration,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The tables, in the paper's order.
    pub tables: Vec<Table>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
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
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ReproduceError> {
    let runner = Runner::new(context)?;
    let units = plan::units(&context.study, parts, shard)?;
    let mut waiting = Vec::new();
    for unit in &units {
        if !runner.is_done(unit)? {
            waiting.push(unit);
        }
    }
    let cost = |unit: &&Unit| plan::cost(&context.study, unit);
    let total: usize = waiting.iter().map(cost).sum();
    let (start, mut left) = (Instant::now(), total);
    let mut done = units.len() - waiting.len();
    let mut rest = waiting.as_slice();
    while let Some(first) = rest.first() {
        let together = match first {
            Unit::Picture { .. } => runner.together(rest),
            _ => 1,
        };
        let (now, later) = rest.split_at(together);
        match first {
            Unit::Picture { .. } => runner.pictures(now)?,
            unit => runner.run(unit)?,
        }
        rest = later;
        done += now.len();
        left -= now.iter().map(cost).sum::<usize>();
        let share = left as f64 / (total - left).max(1) as f64;
        let remaining = start.elapsed().mul_f64(share);
        progress(Progress { done, units: units.len(), unet_samples_left: left, remaining });
    }
    Ok(())
}

/// Runs what is left of the parts' units, and writes tables and report to `out`.
///
/// # Errors
/// [`ReproduceError`]; all units finished before it stay stored.
pub fn run(
    context: &Context,
    parts: &[Part],
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, ReproduceError> {
    work(context, parts, Shard::WHOLE, progress)?;
    let runner = Runner::new(context)?;
    let rendered = tables::build(&runner, parts)?;
    let mut files = Vec::new();
    let mut save = |name: String, bytes: &[u8]| -> Result<(), ReproduceError> {
        let path = out.join(name);
        files::write_atomically(&path, bytes).map_err(pipeline::PipelineError::from)?;
        files.push(path);
        Ok(())
    };
    for table in &rendered.tables {
        let json =
            serde_json::to_vec_pretty(table).map_err(|error| ReproduceError::broken(out, error))?;
        save(format!("{}.csv", table.name), table.to_csv().as_bytes())?;
        save(format!("{}.json", table.name), &json)?;
    }
    for (name, svg) in &rendered.figures {
        save(format!("{name}.svg"), svg.as_bytes())?;
    }
    save("report.html".into(), html::report(context, &rendered)?.as_bytes())?;
    Ok(Outcome { tables: rendered.tables, files })
}
