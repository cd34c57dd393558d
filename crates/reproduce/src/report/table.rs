//! Tables as they are shown and written: labels and cells.

use std::fmt::Write;
use std::ops::Range;

use comfy_table::{ContentArrangement, presets};
use metrics::holm;
use serde::Serialize;

use super::cell::Cell;

/// Room on a terminal for the labels of rows, and the least for each column beside them.
const LABEL: usize = 26;
const NARROWEST: usize = 16;

/// A table: measured values only. A missing value (a metric that was not computed) is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Short name, for files: `table-1`.
    pub name: String,
    /// Title.
    pub title: String,
    /// What the values are and how they were measured.
    pub note: String,
    /// Name of each column after the first.
    pub columns: Vec<String>,
    /// Label and cells of each row.
    pub rows: Vec<Row>,
}

/// Label and cells of a row.
pub(crate) type Row = (String, Vec<Option<Cell>>);

/// A cell as people read it; a dash where nothing was measured.
pub(crate) fn text(cell: Option<&Cell>) -> String {
    cell.map_or_else(|| "–".into(), Cell::text)
}

impl Table {
    /// The same table with every p corrected for all comparisons of the table, which the note counts.
    pub(crate) fn corrected(mut self) -> Self {
        let mut compared: Vec<(&mut Cell, f64)> = self
            .rows
            .iter_mut()
            .flat_map(|(_, cells)| cells.iter_mut().flatten())
            .filter_map(|cell| cell.difference.map(|difference| (cell, difference.p_value)))
            .collect();
        let p_values: Vec<f64> = compared.iter().map(|(_, p)| *p).collect();
        for ((cell, _), p) in compared.iter_mut().zip(holm(&p_values)) {
            cell.p_holm = Some(p);
        }
        if !p_values.is_empty() {
            let count = p_values.len();
            let _ = write!(
                self.note,
                " \"Holm\" is p corrected for the {count} comparisons of this table."
            );
        }
        self
    }

    /// The table for a terminal of `width` columns: as many of its columns beside each other as are
    /// readable there, in which long cells wrap. Without a width it is as wide as it gets.
    pub fn to_text(&self, width: Option<u16>) -> String {
        let columns = self.columns.len().max(1);
        let beside = match width {
            Some(width) => (usize::from(width).saturating_sub(LABEL) / NARROWEST).clamp(1, columns),
            None => columns,
        };
        let mut out = format!("{}\n", self.title);
        for first in (0..columns).step_by(beside) {
            let range = first..(first + beside).min(self.columns.len());
            let _ = writeln!(out, "{}", self.block(range, width).trim_fmt());
        }
        let mut note = arranged(width);
        note.load_preset(presets::NOTHING).add_row([self.note.as_str()]);
        let _ = writeln!(out, "{}", note.trim_fmt());
        out
    }

    /// Some of the columns, beside the rows' labels.
    fn block(&self, columns: Range<usize>, width: Option<u16>) -> comfy_table::Table {
        let mut table = arranged(width);
        let header = self.columns[columns.clone()].iter().map(String::as_str);
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(std::iter::once("").chain(header));
        for (label, cells) in &self.rows {
            let cells = cells[columns.clone()].iter().map(|cell| text(cell.as_ref()));
            table.add_row(std::iter::once(label.clone()).chain(cells));
        }
        table
    }

    /// The table as comma-separated values, one line per cell.
    pub fn to_csv(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let header =
            "row,column,value,difference,low,high,count,p_value,p_holm,rank_biserial,paper\n";
        let mut out = String::from(header);
        for (label, cells) in &self.rows {
            for (column, cell) in self.columns.iter().zip(cells) {
                let _ = write!(out, "{},{},", quote(label), quote(column));
                let Some(cell) = cell else {
                    out.push_str(",,,,,,,,\n");
                    continue;
                };
                let Cell { value, difference, p_holm, interval, printed } = cell;
                let _ = match (difference, interval) {
                    (Some(d), _) => {
                        let (mean, low, high, count) = (d.mean, d.low, d.high, d.count);
                        let (p, effect) = (d.p_value, d.rank_biserial);
                        let holm = p_holm.map_or_else(String::new, |p| p.to_string());
                        write!(out, "{value},{mean},{low},{high},{count},{p},{holm},{effect}")
                    }
                    (None, Some([low, high])) => write!(out, "{value},,{low},{high},,,,"),
                    (None, None) => write!(out, "{value},,,,,,,"),
                };
                let printed = printed.map_or_else(String::new, |value| value.to_string());
                let _ = writeln!(out, ",{printed}");
            }
        }
        out
    }
}

fn arranged(width: Option<u16>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    match width {
        Some(width) => {
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "t".into(),
            title: "T <1>".into(),
            note: "what it says, in more words than fit".into(),
            columns: vec!["a".into(), "b, c".into()],
            rows: vec![
                ("r".into(), vec![Some(Cell::plain(1.5)), None]),
                ("漢字 ★".into(), vec![Some(Cell::plain(2.5)), Some(Cell::plain(1.0))]),
            ],
        }
    }

    #[test]
    fn missing_values_stay_missing() {
        assert!(table().to_text(None).contains("1.500") && table().to_text(None).contains('–'));
        assert_eq!(table().to_csv().lines().nth(2), Some("\"r\",\"b, c\",,,,,,,,,"));
    }

    #[test]
    fn corrected_counts_every_comparison_of_the_table_and_shows_both_values() {
        // Six pairs that all differ one way: p = 2/64 each.
        let paired = || Cell::paired(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.5], &[0.0; 6]).unwrap();
        let mut table = table();
        table.rows = vec![("r".into(), vec![Some(paired()), None]); 3];
        let table = table.corrected();
        assert!(table.note.ends_with("corrected for the 3 comparisons of this table."));
        for (_, cells) in &table.rows {
            let cell = cells[0].unwrap();
            assert_eq!((cell.difference.unwrap().p_value, cell.p_holm), (0.03125, Some(0.09375)));
        }
        let text = table.to_text(None);
        assert!(text.contains("p 0.031, Holm 0.094"), "{text}");
        let csv = table.to_csv();
        let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        let line: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
        let value = |name: &str| line[header.iter().position(|column| *column == name).unwrap()];
        assert_eq!([value("p_value"), value("p_holm")], ["0.03125", "0.09375"]);
        assert!(csv.lines().all(|line| line.replace("b, c", "").matches(',').count() == 10));
    }

    #[test]
    fn corrected_leaves_a_table_without_comparisons_as_it_is() {
        assert_eq!(table().corrected(), table());
    }

    #[test]
    fn to_text_wraps_to_the_width_of_the_terminal() {
        let mut table = table();
        table.columns = (0..11).map(|i| format!("a column with a long name {i}")).collect();
        for (_, cells) in &mut table.rows {
            *cells = (0..11).map(|i| Some(Cell::plain(f64::from(i) + 0.125))).collect();
        }
        let longest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
        for width in [40, 80, 200] {
            let text = table.to_text(Some(width));
            assert!(longest(&text) <= usize::from(width), "{text}");
            assert!((0..11).all(|i| text.contains(&format!("{i}.125"))), "{text}");
        }
        assert!(longest(&table.to_text(None)) > 200);
    }

    #[test]
    fn to_text_aligns_characters_that_are_two_columns_wide() {
        let text = table().to_text(None);
        let column = |value: &str| {
            let line = text.lines().find(|line| line.contains(value)).unwrap();
            let before = &line[..line.find(value).unwrap()];
            before.chars().map(|c| if "漢字".contains(c) { 2 } else { 1 }).sum::<usize>()
        };
        assert_eq!(column("1.500"), column("2.500"));
    }
}
