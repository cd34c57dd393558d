//! What the tables say, in a sentence each.

use super::cell::Cell;
use super::controls::TO_CONSTANT;
use super::table::Table;

/// A corrected p below it counts as a difference.
const SIGNIFICANT: f64 = 0.05;

/// A sentence for each table that compares something; none for the others.
pub(crate) fn sentences<'a>(tables: impl Iterator<Item = &'a Table>) -> Vec<String> {
    tables.filter_map(sentence).collect()
}

fn sentence(table: &Table) -> Option<String> {
    let name = table.title.split(':').next().unwrap_or(&table.title);
    if table.name == "table-a" {
        return agreement(table).map(|said| format!("{name}: {said}."));
    }
    let (reference, column) = reference(table);
    let compared: Vec<&Cell> = table
        .rows
        .iter()
        .flat_map(|(_, cells)| cells.iter().enumerate())
        .filter(|(at, _)| column.is_none_or(|column| column == *at))
        .filter_map(|(_, cell)| cell.as_ref().filter(|cell| cell.difference.is_some()))
        .collect();
    let count = |wanted: i8| compared.iter().filter(|cell| cell.direction() == wanted).count();
    let differs = |cell: &&&Cell| cell.p_holm.is_some_and(|p| p < SIGNIFICANT);
    let measure = table.title.rsplit_once('(').map_or("", |(_, end)| end.trim_end_matches(')'));
    (!compared.is_empty()).then(|| {
        format!(
            "{name} ({measure}): of {} comparisons with {reference} {} lie above and {} below it \
             beyond their 95 % interval; of {} the p corrected by Holm is below {SIGNIFICANT}.",
            compared.len(),
            count(1),
            count(-1),
            compared.iter().filter(differs).count()
        )
    })
}

/// What a table's values are compared with, and the column of that where there are several.
fn reference(table: &Table) -> (&'static str, Option<usize>) {
    match table.name.as_str() {
        "controls" | "controls-score" => {
            ("the constant of the same mean weight", Some(TO_CONSTANT))
        }
        "fewer-steps" => ("vanilla of all steps", Some(0)),
        _ => ("vanilla", None),
    }
}

/// The correlations of every way with the first effect that was seen.
fn agreement(table: &Table) -> Option<String> {
    let effect = table.columns.first()?;
    let rows: Vec<String> = table
        .rows
        .iter()
        .filter_map(|(label, cells)| {
            Some(format!("{label} {:+.2}", cells.first()?.as_ref()?.value))
        })
        .collect();
    Some(format!("correlation of importance with what was seen ({effect}): {}", rows.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, title: &str, cells: Vec<Option<Cell>>) -> Table {
        Table {
            name: name.into(),
            title: title.into(),
            note: String::new(),
            columns: vec!["lowered: latents".into(); cells.len()],
            rows: vec![("vote".into(), cells)],
        }
    }

    #[test]
    fn sentences_count_what_differs_from_vanilla() {
        let (low, high) = ([1.0, 1.1, 1.2, 1.1], [2.0, 2.1, 2.2, 2.1]);
        let up = Cell::paired(&high, &low).unwrap();
        let down = Cell::paired(&low, &high).unwrap();
        let none = Cell::paired(&low, &[1.1, 1.0, 1.1, 1.2]).unwrap();
        let cells = vec![Some(up), Some(down), Some(down), Some(none), None];
        let tables = [
            table("table-1", "Table I: blocks (SNR in dB)", cells.clone()).corrected(),
            table("controls", "Controls: means (SNR in dB)", cells),
            table("table-a", "Table A: which?", vec![Some(Cell::plain(-0.5))]),
            table("table-2", "Table II: ranks", vec![Some(Cell::plain(1.0))]),
        ];
        let said = sentences(tables.iter());
        assert_eq!(said.len(), 3);
        assert!(said[0].starts_with("Table I (SNR in dB): of 4 comparisons"), "{}", said[0]);
        assert!(said[0].contains("1 lie above and 2 below"), "{}", said[0]);
        // Four pairs that all differ one way: p = 2/16.
        assert!(said[0].ends_with("of 0 the p corrected by Holm is below 0.05."), "{}", said[0]);
        let constant =
            "of 1 comparisons with the constant of the same mean weight 0 lie above and 1";
        assert!(said[1].contains(constant), "{}", said[1]);
        assert!(said[2].contains("(lowered: latents): vote -0.50."), "{}", said[2]);
    }
}
