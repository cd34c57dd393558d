use std::fmt::Write;

use crate::table::escape;

/// One line of a chart, with a dashed horizontal line of the same colour.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) baseline: f64,
}

const COLOURS: [&str; 10] = [
    "#1f77b4", "#aec7e8", "#d62728", "#ff9896", "#2ca02c", "#98df8a", "#9467bd", "#c5b0d5",
    "#333333", "#999999",
];
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 20.0;

/// A line chart as a self-contained SVG picture.
pub(crate) fn line_chart(lines: &[Line], x_label: &str, y_label: &str) -> String {
    let xs = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let ys = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.1).chain([line.baseline]));
    let (x0, x1) = bounds(xs);
    let (y0, y1) = bounds(ys);
    let place_x = |x: f64| LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
    let place_y = |y: f64| HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
    );
    for i in 0..=4 {
        let (x, y) = (x0 + (x1 - x0) * f64::from(i) / 4.0, y0 + (y1 - y0) * f64::from(i) / 4.0);
        let (px, py) = (place_x(x), place_y(y));
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{py:.1}\" y2=\"{py:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{y:.2}</text>\
             <text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x:.3}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            py + 4.0,
            HEIGHT - BOTTOM + 18.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text x=\"14\" y=\"{:.1}\" transform=\"rotate(-90 14 {:.1})\" text-anchor=\"middle\">{}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 10.0,
        escape(x_label),
        HEIGHT / 2.0,
        HEIGHT / 2.0,
        escape(y_label)
    );
    for (i, line) in lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", place_x(*x), place_y(*y)))
            .collect();
        let base = place_y(line.baseline);
        let legend = TOP + 16.0 * (i as f64 + 1.0);
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{base:.1}\" y2=\"{base:.1}\" stroke=\"{colour}\" \
             stroke-dasharray=\"5 4\"/>\
             <text x=\"{:.1}\" y=\"{legend:.1}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            WIDTH - RIGHT,
            WIDTH - RIGHT + 12.0,
            escape(&line.label)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Least and largest finite value, a little apart where they agree.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low < high { (low, high) } else { (low.min(0.0) - 0.5, low.max(0.0) + 0.5) }
}
