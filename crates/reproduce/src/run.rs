use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::{self, Plan};
use crate::tables;
use crate::units::Runner;
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

/// What the parts would cost.
///
/// # Errors
/// [`ReproduceError`].
pub fn plan(context: &Context, parts: &[Part]) -> Result<Plan, ReproduceError> {
    let runner = Runner::new(context)?;
    plan::plan(&runner, &plan::units(context, parts)?)
}

/// Runs the parts, from where an earlier run was interrupted, and writes tables and report to
/// `out`.
///
/// # Errors
/// [`ReproduceError`]; all units finished before it stay stored.
pub fn run(
    context: &Context,
    parts: &[Part],
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, ReproduceError> {
    let runner = Runner::new(context)?;
    let units = plan::units(context, parts)?;
    let mut waiting = Vec::new();
    for unit in &units {
        if !runner.is_done(unit)? {
            waiting.push(unit);
        }
    }
    let total: usize = waiting.iter().map(|unit| runner.cost(unit)).sum();
    let (start, mut left) = (Instant::now(), total);
    let before = units.len() - waiting.len();
    for (index, unit) in waiting.into_iter().enumerate() {
        runner.run(unit)?;
        let done = before + index + 1;
        left -= runner.cost(unit);
        let share = left as f64 / (total - left).max(1) as f64;
        let remaining = start.elapsed().mul_f64(share);
        progress(Progress { done, units: units.len(), unet_samples_left: left, remaining });
    }
    write(&runner, parts, out)
}

fn write(runner: &Runner<'_>, parts: &[Part], out: &Path) -> Result<Outcome, ReproduceError> {
    let rendered = tables::build(runner, parts)?;
    let mut files = Vec::new();
    let mut save = |name: String, bytes: &[u8]| -> Result<(), ReproduceError> {
        let path = out.join(name);
        pipeline::write_atomically(&path, bytes)?;
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
    save("report.html".into(), html::report(runner.context, &rendered)?.as_bytes())?;
    Ok(Outcome { tables: rendered.tables, files })
}
