//! Values by weighting and column, before anything is labelled.

use serde::Deserialize;

use super::cell::Cell;
use super::table::Table;
use crate::plan::{SeedRole, Study, Weighting};

/// What a column of a comparison is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Column {
    /// All examples, in so many inference steps.
    Steps { steps: usize },
    /// The examples of a category, or of all of them, from the noise of one seed.
    Seeded { category: Option<String>, seed: SeedRole },
}

impl Column {
    /// Each category, then all together, on both seeds.
    pub(crate) fn seeded(study: &Study) -> Vec<Self> {
        let names = study.categories.iter().map(|category| Some(category.name.clone()));
        names
            .chain([None])
            .flat_map(|category| {
                SeedRole::BOTH.map(|seed| Self::Seeded { category: category.clone(), seed })
            })
            .collect()
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Steps { steps } => format!("{steps} steps"),
            Self::Seeded { category, seed } => {
                format!("{} {}", category.as_deref().unwrap_or("avg"), seed.label())
            }
        }
    }
}

/// A cell for each weighting and column; `None` where nothing was measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<(Weighting, Vec<Option<Cell>>)>,
}

impl Grid {
    /// The value of a weighting in a column, where it was measured.
    pub(crate) fn value(&self, weighting: Weighting, column: &Column) -> Option<f64> {
        let at = self.columns.iter().position(|candidate| candidate == column)?;
        let (_, cells) = self.rows.iter().find(|(candidate, _)| *candidate == weighting)?;
        cells.get(at)?.map(|cell| cell.value)
    }

    /// The table that shows it.
    pub(crate) fn into_table(self, name: String, title: String, note: String) -> Table {
        let rows = self.rows.into_iter().map(|(weighting, cells)| (weighting.label(), cells));
        let columns = self.columns.iter().map(Column::label).collect();
        Table { name, title, note, columns, rows: rows.collect() }
    }
}
