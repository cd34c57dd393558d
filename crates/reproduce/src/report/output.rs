//! A whole run: what is left of the work, then tables, figures and the report as files.

use std::path::{Path, PathBuf};

use super::build::{Section, build};
use super::page::page;
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Part, Shard};
use crate::run::{Context, Event, Library, work};

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The tables, in the paper's order.
    pub tables: Vec<Table>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
}

/// Runs what is left of the parts' units, and writes tables and report to `out`.
///
/// # Errors
/// [`ReproduceError`]; all units finished before it stay stored.
pub fn run(
    context: &Context,
    parts: &[Part],
    out: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Outcome, ReproduceError> {
    work(context, parts, Shard::WHOLE, events)?;
    let rendered = build(&Library::new(context), parts)?;
    let mut files = Vec::new();
    let mut save = |name: String, bytes: &[u8]| -> Result<(), ReproduceError> {
        let path = out.join(name);
        files::write_atomically(&path, bytes)?;
        files.push(path);
        Ok(())
    };
    let sections = || rendered.sections.iter().chain(&rendered.times);
    for Section { table, .. } in sections() {
        let json =
            serde_json::to_vec_pretty(table).map_err(|error| ReproduceError::broken(out, error))?;
        save(format!("{}.csv", table.name), table.to_csv().as_bytes())?;
        save(format!("{}.json", table.name), &json)?;
    }
    for figure in sections().filter_map(|section| section.figure.as_ref()) {
        save(format!("{}.svg", figure.name), figure.svg.as_bytes())?;
    }
    save("report.html".into(), page(context, &rendered)?.as_bytes())?;
    let sections = rendered.sections.into_iter().chain(rendered.times);
    let tables = sections.map(|section| section.table).collect();
    Ok(Outcome { tables, files })
}
