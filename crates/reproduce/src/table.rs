use std::fmt::Write;

use metrics::PairedDifference;
use serde::Serialize;

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// Mean.
    pub value: f64,
    /// Mean difference to the vanilla schedule over the same pictures, with its interval.
    pub difference: Option<PairedDifference>,
    /// 95 % bootstrap interval of the value itself.
    pub interval: Option<[f64; 2]>,
    /// What the paper prints for the same model, where it prints it.
    pub printed: Option<f64>,
}

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
    pub rows: Vec<(String, Vec<Option<Cell>>)>,
}

impl Cell {
    /// A value alone.
    pub fn plain(value: f64) -> Self {
        Self { value, difference: None, interval: None, printed: None }
    }

    fn text(&self) -> String {
        let printed = self.printed.map_or_else(String::new, |value| format!(" [paper {value:.2}]"));
        let own = match (&self.difference, &self.interval) {
            (None, None) => format!("{:.3}", self.value),
            (None, Some([low, high])) => format!("{:.3} [{low:.3}, {high:.3}]", self.value),
            (Some(d), _) => {
                let mark = match d {
                    d if d.low > 0.0 => " ↑",
                    d if d.high < 0.0 => " ↓",
                    _ => "",
                };
                format!(
                    "{:.3} ({:+.3} [{:+.3}, {:+.3}], p {:.3}){mark}",
                    self.value, d.mean, d.low, d.high, d.p_value
                )
            }
        };
        own + &printed
    }
}

fn text(cell: &Option<Cell>) -> String {
    cell.as_ref().map_or_else(|| "–".into(), Cell::text)
}

impl Table {
    /// The table for a terminal.
    pub fn to_text(&self) -> String {
        let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
        rows[0].extend(self.columns.iter().cloned());
        for (label, cells) in &self.rows {
            let mut row = vec![label.clone()];
            row.extend(cells.iter().map(text));
            rows.push(row);
        }
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|t| t.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = format!("{}\n", self.title);
        for row in &rows {
            let line: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            let _ = writeln!(out, "  {}", line.join("  ").trim_end());
        }
        let _ = writeln!(out, "  {}", self.note);
        out
    }

    /// The table as comma-separated values, one line per cell.
    pub fn to_csv(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let header = "row,column,value,difference,low,high,count,p_value,rank_biserial,paper\n";
        let mut out = String::from(header);
        for (label, cells) in &self.rows {
            for (column, cell) in self.columns.iter().zip(cells) {
                let _ = write!(out, "{},{},", quote(label), quote(column));
                let Some(cell) = cell else {
                    out.push_str(",,,,,,,\n");
                    continue;
                };
                let Cell { value, difference, interval, printed } = cell;
                let _ = match (difference, interval) {
                    (Some(d), _) => {
                        let (mean, low, high, count) = (d.mean, d.low, d.high, d.count);
                        let (p, effect) = (d.p_value, d.rank_biserial);
                        write!(out, "{value},{mean},{low},{high},{count},{p},{effect}")
                    }
                    (None, Some([low, high])) => write!(out, "{value},,{low},{high},,,"),
                    (None, None) => write!(out, "{value},,,,,,"),
                };
                let printed = printed.map_or_else(String::new, |value| value.to_string());
                let _ = writeln!(out, ",{printed}");
            }
        }
        out
    }

    /// The table in HTML.
    pub fn to_html(&self) -> String {
        let mut out = format!(
            "<h2 id=\"{}\">{}</h2><p class=\"note\">{}</p><table><tr><th></th>",
            self.name,
            escape(&self.title),
            escape(&self.note)
        );
        for column in &self.columns {
            let _ = write!(out, "<th>{}</th>", escape(column));
        }
        out.push_str("</tr>");
        for (label, cells) in &self.rows {
            let _ = write!(out, "<tr><th>{}</th>", escape(label));
            for cell in cells {
                let class = match cell.as_ref().and_then(|cell| cell.difference) {
                    Some(d) if d.low > 0.0 => " class=\"better\"",
                    Some(d) if d.high < 0.0 => " class=\"worse\"",
                    _ => "",
                };
                let _ = write!(out, "<td{class}>{}</td>", escape(&text(cell)));
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
        out
    }
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_missing_values_stay_missing() {
        let table = Table {
            name: "t".into(),
            title: "T <1>".into(),
            note: "n".into(),
            columns: vec!["a".into(), "b, c".into()],
            rows: vec![("r".into(), vec![Some(Cell::plain(1.5)), None])],
        };
        assert!(table.to_text().contains("1.500") && table.to_text().contains('–'));
        assert_eq!(table.to_csv().lines().nth(2), Some("\"r\",\"b, c\",,,,,,,,"));
        assert!(table.to_html().contains("T &lt;1&gt;"));
    }
}
