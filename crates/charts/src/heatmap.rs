//! A matrix of scores as coloured cells.

use std::fmt::Write;

/// Side of a cell in the picture.
const CELL: usize = 56;
/// Room for labels at the left and the top.
const MARGIN: usize = 90;

/// Scores from 0 (pale) to 1 (dark), a row for each step, a column for each block; `labels` name
/// the columns. The rows named by `grey` are drawn without colour: what cannot be told from chance.
pub fn heatmap_svg<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    labels: &[String],
    grey: &[usize],
) -> String {
    let columns = labels.len();
    let (width, height) = (2 * MARGIN + columns * CELL, MARGIN + rows.len() * CELL + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">"
    );
    for (block, label) in labels.iter().enumerate() {
        let (x, y) = (MARGIN + block * CELL + CELL / 2, MARGIN - 8);
        let label = label.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-35 {x} {y})\">{label}</text>"
        );
    }
    for (step, row) in rows.enumerate() {
        let y = MARGIN + step * CELL;
        let _ = write!(svg, "<text x=\"8\" y=\"{}\">step {step}</text>", y + CELL / 2 + 4);
        for (block, score) in row.iter().enumerate() {
            let x = MARGIN + block * CELL;
            let (fill, ink) = colours(*score, grey.contains(&step));
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{fill}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{ink}\">{score:.2}</text>",
                x + CELL / 2,
                y + CELL / 2 + 4,
            );
        }
    }
    svg.push_str("</svg>");
    svg
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
}
