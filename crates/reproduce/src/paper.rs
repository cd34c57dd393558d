use serde::Deserialize;

use crate::study::Study;
use crate::table::escape;
use crate::{Part, ReproduceError, Table};

/// The figures the paper prints, as they stand in `experiments/paper/printed.toml`.
const PRINTED: &str = include_str!("../../../experiments/paper/printed.toml");

#[derive(Debug, Deserialize)]
struct Printed {
    table: Vec<PrintedTable>,
}

/// One of the paper's tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrintedTable {
    title: String,
    note: String,
    /// Name of the experiment it is of.
    experiment: String,
    part: Part,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// All of them.
pub(crate) fn printed() -> Result<Vec<PrintedTable>, ReproduceError> {
    let printed: Printed = toml::from_str(PRINTED)
        .map_err(|error| ReproduceError::broken("experiments/paper/printed.toml", error))?;
    Ok(printed.table)
}

/// Those of the study's own model, or all where it is none of the paper's.
pub(crate) fn beside(study: &Study) -> Result<Vec<PrintedTable>, ReproduceError> {
    let (own, others): (Vec<_>, Vec<_>) =
        printed()?.into_iter().partition(|table| table.experiment == study.experiment.name);
    Ok(if own.is_empty() { others } else { own })
}

/// Whether the paper prints something for the study's model.
pub(crate) fn is_of_the_paper(study: &Study) -> Result<bool, ReproduceError> {
    Ok(printed()?.iter().any(|table| table.experiment == study.experiment.name))
}

/// Puts the paper's values into the cells of the same labels, where it prints some for this model.
/// The paper prints cosines; the tables hold them times 100.
pub(crate) fn annotate(
    table: &mut Table,
    study: &Study,
    parts: &[Part],
) -> Result<(), ReproduceError> {
    for printed in printed()? {
        if printed.experiment != study.experiment.name || !parts.contains(&printed.part) {
            continue;
        }
        for (label, cells) in &mut table.rows {
            let Some(row) = printed.rows.iter().find(|row| row.first() == Some(label)) else {
                continue;
            };
            for (column, cell) in table.columns.iter().zip(cells) {
                let at = printed.columns.iter().position(|printed| printed == column);
                let value = at.and_then(|at| row.get(at)?.parse::<f64>().ok());
                if let (Some(cell), Some(value)) = (cell, value) {
                    cell.printed = Some(100.0 * value);
                }
            }
        }
    }
    Ok(())
}

impl PrintedTable {
    pub(crate) fn to_html(&self) -> String {
        let row = |tag: &str, cells: &[String]| -> String {
            let cells: Vec<String> =
                cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
            format!("<tr>{}</tr>", cells.concat())
        };
        let rows: Vec<String> = self.rows.iter().map(|cells| row("td", cells)).collect();
        format!(
            "<h3>{}</h3><p class=\"note\">{}</p><table class=\"paper\">{}{}</table>",
            escape(&self.title),
            escape(&self.note),
            row("th", &self.columns),
            rows.concat()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_tables_are_rectangular() {
        let tables = printed().unwrap();
        assert_eq!(tables.len(), 9);
        for table in tables {
            assert!(
                table.rows.iter().all(|row| row.len() == table.columns.len()),
                "{}",
                table.title
            );
        }
    }
}
