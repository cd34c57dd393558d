//! What the paper prints, beside what was measured.

use serde::Deserialize;

use super::grid::{Column, Grid};
use crate::ReproduceError;
use crate::plan::{Part, Study, Weighting};

/// The figures the paper prints, as they stand in `experiments/paper/printed.toml`.
const PRINTED: &str = include_str!("../../../../experiments/paper/printed.toml");

/// The paper's tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Printed {
    comparison: Vec<Comparison>,
    ranking: Vec<Ranking>,
}

/// Mean scores under several weightings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Comparison {
    title: String,
    note: String,
    /// Name of the experiment it is of.
    experiment: String,
    part: Part,
    columns: Vec<Column>,
    rows: Vec<PrintedRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrintedRow {
    weighting: Weighting,
    /// Cosines, one for each column.
    values: Vec<f64>,
}

/// The blocks in ascending importance, step by step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranking {
    title: String,
    note: String,
    experiment: String,
    part: Part,
    steps: Vec<Vec<usize>>,
}

/// One of the paper's tables as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaperTable {
    pub(crate) title: String,
    pub(crate) note: String,
    experiment: String,
    part: Part,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

fn printed() -> Result<Printed, ReproduceError> {
    toml::from_str(PRINTED)
        .map_err(|error| ReproduceError::broken("experiments/paper/printed.toml", error))
}

/// The tables of the study's own model, or all where it is none of the paper's.
pub(crate) fn beside(study: &Study) -> Result<Vec<PaperTable>, ReproduceError> {
    let printed = printed()?;
    let comparisons = printed.comparison.into_iter().map(PaperTable::from);
    let mut tables: Vec<PaperTable> =
        comparisons.chain(printed.ranking.into_iter().map(PaperTable::from)).collect();
    tables.sort_by_key(|table| table.part);
    let (of_the_model, others): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|table| table.experiment == study.experiment.name);
    Ok(if of_the_model.is_empty() { others } else { of_the_model })
}

/// Whether the paper prints something for the study's model.
pub(crate) fn is_of_the_paper(study: &Study) -> Result<bool, ReproduceError> {
    Ok(beside(study)?.iter().any(|table| table.experiment == study.experiment.name))
}

/// Puts the paper's values into the cells of the same weighting and column, where it prints some
/// for this model. The paper prints cosines; the tables hold them times 100.
pub(crate) fn annotate(
    grid: &mut Grid,
    study: &Study,
    parts: &[Part],
) -> Result<(), ReproduceError> {
    let here = |printed: &Comparison| {
        printed.experiment == study.experiment.name && parts.contains(&printed.part)
    };
    for printed in printed()?.comparison.iter().filter(|printed| here(printed)) {
        for (weighting, cells) in &mut grid.rows {
            for (column, cell) in grid.columns.iter().zip(cells) {
                if let (Some(cell), Some(value)) = (cell, printed.value(*weighting, column)) {
                    cell.printed = Some(100.0 * value);
                }
            }
        }
    }
    Ok(())
}

impl Comparison {
    fn value(&self, weighting: Weighting, column: &Column) -> Option<f64> {
        let at = self.columns.iter().position(|printed| printed == column)?;
        self.rows.iter().find(|row| row.weighting == weighting)?.values.get(at).copied()
    }
}

impl From<Comparison> for PaperTable {
    fn from(table: Comparison) -> Self {
        let Comparison { title, note, experiment, part, columns, rows } = table;
        let first = std::iter::once("Weighting".to_string());
        let row = |PrintedRow { weighting, values }: PrintedRow| {
            let values = values.into_iter().map(|value| format!("{value:.4}"));
            std::iter::once(weighting.label()).chain(values).collect()
        };
        let columns = first.chain(columns.iter().map(Column::label)).collect();
        Self { title, note, experiment, part, columns, rows: rows.into_iter().map(row).collect() }
    }
}

impl From<Ranking> for PaperTable {
    fn from(Ranking { title, note, experiment, part, steps }: Ranking) -> Self {
        let row = |(step, blocks): (usize, Vec<usize>)| {
            let blocks: Vec<String> = blocks.iter().map(usize::to_string).collect();
            vec![format!("step {step}"), blocks.join(" ")]
        };
        let columns = vec!["Step".into(), "Ranking".into()];
        let rows = steps.into_iter().enumerate().map(row).collect();
        Self { title, note, experiment, part, columns, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Experiment, Scale, SeedRole};
    use crate::report::Cell;

    #[test]
    fn annotate_puts_the_papers_value_beside_the_same_weighting_category_and_seed() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = root.join("experiments/paper/sdxl-turbo.toml");
        let experiment = Experiment::from_file(file).unwrap();
        let study = Study::new(experiment, Scale::Smoke, &root).unwrap();
        let column =
            |name: &str| Column::Seeded { category: Some(name.into()), seed: SeedRole::Test };
        let importance =
            |low| Weighting::Importance(reweight::WeightRange::new(low, 1.15).unwrap());
        let cells = || vec![Some(Cell::plain(1.0)); 2];
        let mut grid = Grid {
            columns: vec![column("anime"), column("comics")],
            rows: vec![(importance(0.95), cells()), (importance(0.9), cells())],
        };
        annotate(&mut grid, &study, &[Part::Table4]).unwrap();
        let printed = |row: usize, column: usize| {
            grid.rows[row].1[column].and_then(|cell: Cell| cell.printed)
        };
        assert!((printed(0, 0).unwrap() - 29.23).abs() < 1e-9);
        assert_eq!([printed(0, 1), printed(1, 0)], [None, None]);
        assert!(is_of_the_paper(&study).unwrap() && beside(&study).unwrap().len() == 3);
    }

    #[test]
    fn printed_tables_are_rectangular_and_in_the_papers_order() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let experiment = Experiment::from_file(root.join("experiments/emoji-sd.toml")).unwrap();
        let tables = beside(&Study::new(experiment, Scale::Smoke, &root).unwrap()).unwrap();
        assert_eq!(tables.len(), 9);
        assert!(tables.windows(2).all(|pair| pair[0].part <= pair[1].part));
        for table in tables {
            let width = table.columns.len();
            assert!(table.rows.iter().all(|row| row.len() == width), "{}", table.title);
        }
    }
}
