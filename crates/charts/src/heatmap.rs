//! A matrix of scores as coloured cells.

use std::fmt::Write;

/// Side of a cell in the picture.
const CELL: usize = 56;
/// Room for labels at the left and the top.
const MARGIN: usize = 90;
/// Width of a character of the rows' names, roughly.
const CHARACTER: usize = 7;
/// The pattern of hatched cells.
const HATCH: &str = "<defs><pattern id=\"hatch\" width=\"7\" height=\"7\" \
    patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line y2=\"7\" \
    stroke=\"#888\" stroke-width=\"3\"/></pattern></defs>";

/// Scores from 0 (pale) to 1 (dark), a row for each step, a column for each block; `labels` name
/// the columns. The rows named by `grey` are drawn without colour: what cannot be told from chance.
pub fn heatmap_svg<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    labels: &[String],
    grey: &[usize],
) -> String {
    let names: Vec<String> = (0..rows.len()).map(|step| format!("step {step}")).collect();
    let look = |step: usize, _| if grey.contains(&step) { Look::Grey } else { Look::Plain };
    cells(rows, labels, &names, look)
}

/// The same with names of the rows; the cells marked in `unsure` are hatched: what cannot be told
/// from the mean of its row.
pub fn interval_map_svg<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    labels: &[String],
    names: &[String],
    unsure: &[Vec<bool>],
) -> String {
    let look = |step: usize, block: usize| {
        let marked = unsure.get(step).and_then(|row| row.get(block)).copied().unwrap_or(false);
        if marked { Look::Hatched } else { Look::Plain }
    };
    cells(rows, labels, names, look)
}

/// How a cell is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain,
    Grey,
    Hatched,
}

fn cells<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    labels: &[String],
    names: &[String],
    look: impl Fn(usize, usize) -> Look,
) -> String {
    let columns = labels.len();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = MARGIN.max(16 + longest * CHARACTER);
    let (width, height) = (left + MARGIN + columns * CELL, MARGIN + rows.len() * CELL + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">{HATCH}"
    );
    for (block, label) in labels.iter().enumerate() {
        let (x, y) = (left + block * CELL + CELL / 2, MARGIN - 8);
        let label = escape(label);
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-35 {x} {y})\">{label}</text>"
        );
    }
    for (step, row) in rows.enumerate() {
        let y = MARGIN + step * CELL;
        let name = escape(names.get(step).map_or("", String::as_str));
        let _ = write!(svg, "<text x=\"8\" y=\"{}\">{name}</text>", y + CELL / 2 + 4);
        for (block, score) in row.iter().enumerate() {
            let (x, look) = (left + block * CELL, look(step, block));
            let (fill, ink) = colours(*score, look == Look::Grey);
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{fill}\"/>"
            );
            if look == Look::Hatched {
                let _ = write!(
                    svg,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" \
                     fill=\"url(#hatch)\"/>"
                );
            }
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{ink}\">{score:.2}</text>",
                x + CELL / 2,
                y + CELL / 2 + 4,
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Fill and ink of a score in [0, 1]: pale yellow to dark blue, or pale grey to a darker one.
fn colours(score: f64, grey: bool) -> (String, &'static str) {
    let mix = |from: f64, to: f64| (from + (to - from) * score.clamp(0.0, 1.0)).round() as u8;
    let [red, green, blue] = match grey {
        true => [(242.0, 170.0); 3],
        false => [(255.0, 8.0), (250.0, 48.0), (210.0, 107.0)],
    }
    .map(|(from, to)| mix(from, to));
    let dark = score > 0.55 && !grey;
    (format!("#{red:02x}{green:02x}{blue:02x}"), if dark { "white" } else { "black" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heatmap_svg_has_a_cell_for_every_score_and_escapes_labels() {
        let rows = [[0.0, 0.5, 1.0], [1.0, 0.25, 0.0]];
        let labels = ["0 down", "1 <mid>", "2 a & b"].map(String::from);
        let svg = heatmap_svg(rows.iter().map(|row| &row[..]), &labels, &[]);
        assert_eq!(svg.matches("<rect").count(), 6);
        assert!(svg.contains("#fffad2") && svg.contains("#08306b"), "the ends of the scale");
        assert!(svg.contains("1 &lt;mid>") && svg.contains("2 a &amp; b"), "{svg}");
        assert!(svg.contains("step 1") && !svg.contains("step 2"));
        let half = heatmap_svg(rows.iter().map(|row| &row[..]), &labels, &[1]);
        assert!(half.contains("#fffad2") && half.contains("#f2f2f2") && half.contains("#aaaaaa"));
        assert_eq!(half.matches("white").count(), 1, "of the row in colour");
    }

    #[test]
    fn interval_map_svg_names_rows_and_hatches_what_is_unsure() {
        let rows = [[0.0, 0.5], [1.0, 0.25]];
        let [labels, names] = [["0 a", "1 b"], ["t < 1", "t 2"]].map(|of| of.map(String::from));
        let unsure = [vec![false, true], vec![false, false]];
        let svg = interval_map_svg(rows.iter().map(|row| &row[..]), &labels, &names, &unsure);
        assert_eq!(svg.matches("<rect").count(), 5);
        assert_eq!(svg.matches("url(#hatch)").count(), 1);
        assert!(svg.contains("t &lt; 1") && svg.contains(">t 2<"), "{svg}");
    }
}
