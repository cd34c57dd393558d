use serde::Deserialize;

use crate::ReproduceError;
use crate::table::escape;

/// The figures the paper prints, as they stand in `experiments/paper/printed.toml`.
const PRINTED: &str = include_str!("../../../experiments/paper/printed.toml");

#[derive(Debug, Deserialize)]
struct Printed {
    table: Vec<PrintedTable>,
}

/// One of the paper's tables.
#[derive(Debug, Deserialize)]
pub(crate) struct PrintedTable {
    title: String,
    note: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// All of them.
pub(crate) fn printed() -> Result<Vec<PrintedTable>, ReproduceError> {
    let printed: Printed = toml::from_str(PRINTED)
        .map_err(|error| ReproduceError::broken("experiments/paper/printed.toml", error))?;
    Ok(printed.table)
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
    #[test]
    fn printed_tables_are_rectangular() {
        let tables = super::printed().unwrap();
        assert_eq!(tables.len(), 6);
        for table in tables {
            assert!(
                table.rows.iter().all(|row| row.len() == table.columns.len()),
                "{}",
                table.title
            );
        }
    }
}
