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
    fn annotate_puts_the_papers_value_into_the_cell_of_its_labels() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = root.join("experiments/paper/sdxl-turbo.toml");
        let experiment = crate::Experiment::from_file(file).unwrap();
        let study = Study::new(experiment, crate::Scale::Smoke, &root).unwrap();
        let mut table = Table {
            name: "table-4".into(),
            title: String::new(),
            note: String::new(),
            columns: vec!["anime test".into(), "comics test".into()],
            rows: vec![
                ("[0.95, 1.15]".into(), vec![Some(crate::Cell::plain(1.0)); 2]),
                ("[0.9, 1.15]".into(), vec![Some(crate::Cell::plain(1.0)); 2]),
            ],
        };
        annotate(&mut table, &study, &[Part::Table4]).unwrap();
        let printed = |row: usize, column: usize| {
            table.rows[row].1[column].and_then(|cell: crate::Cell| cell.printed)
        };
        assert!((printed(0, 0).unwrap() - 29.23).abs() < 1e-9);
        assert_eq!([printed(0, 1), printed(1, 0)], [None, None]);
        assert!(is_of_the_paper(&study).unwrap() && beside(&study).unwrap().len() == 3);
    }

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
