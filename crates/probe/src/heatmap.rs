use std::fmt::Write;

use reweight::ImportanceScores;

/// Side of a cell in the picture.
const CELL: usize = 56;
/// Room for labels at the left and the top.
const MARGIN: usize = 90;

/// Importance of every block (columns) at every step (rows) as a self-contained SVG picture;
/// `labels` name the blocks.
pub fn heatmap_svg(scores: &ImportanceScores, labels: &[String]) -> String {
    let scores = scores.matrix();
    let columns = scores.blocks();
    let (width, height) = (2 * MARGIN + columns * CELL, MARGIN + scores.steps() * CELL + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">"
    );
    for (block, label) in labels.iter().enumerate().take(columns) {
        let (x, y) = (MARGIN + block * CELL + CELL / 2, MARGIN - 8);
        let label = label.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-35 {x} {y})\">{label}</text>"
        );
    }
    for (step, row) in scores.rows().enumerate() {
        let y = MARGIN + step * CELL;
        let _ = write!(svg, "<text x=\"8\" y=\"{}\">step {step}</text>", y + CELL / 2 + 4);
        for (block, score) in row.iter().enumerate() {
            let x = MARGIN + block * CELL;
            let (fill, ink) = colours(*score);
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

/// Fill and ink of a score in [0, 1]: pale yellow to dark blue.
pub(crate) fn colours(score: f64) -> (String, &'static str) {
    let mix = |from: f64, to: f64| (from + (to - from) * score.clamp(0.0, 1.0)).round() as u8;
    let fill = format!("#{:02x}{:02x}{:02x}", mix(255.0, 8.0), mix(250.0, 48.0), mix(210.0, 107.0));
    (fill, if score > 0.55 { "white" } else { "black" })
}
