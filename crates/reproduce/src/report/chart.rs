//! Line charts and scatter plots as self-contained SVG pictures.

use std::fmt::Write;

/// One line of a chart, with a dashed horizontal line of the same colour.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Absent where it was not measured.
    pub(crate) baseline: Option<f64>,
}

pub(super) const COLOURS: [&str; 10] = [
    "#1f77b4", "#aec7e8", "#d62728", "#ff9896", "#2ca02c", "#98df8a", "#9467bd", "#c5b0d5",
    "#333333", "#999999",
];
pub(super) const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
pub(super) const RIGHT: f64 = 170.0;
const BOTTOM: f64 = 50.0;
pub(super) const TOP: f64 = 20.0;

/// One mark of a scatter plot.
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) mark: Mark,
    pub(crate) label: String,
}

/// Where a pruning strategy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Baseline,
    Ranking,
    /// From the ranking, and equal to a baseline.
    Both,
}

impl Mark {
    /// Colour, symbol, and what the legend says.
    fn look(self) -> [&'static str; 3] {
        match self {
            Self::Baseline => ["#1f77b4", "●", "baseline"],
            Self::Ranking => ["#e377c2", "▲", "from the ranking"],
            Self::Both => ["#9467bd", "★", "both"],
        }
    }
}

/// Where values are drawn.
pub(super) struct Frame {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Frame {
    pub(super) fn place_x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn place_y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// The beginning of the picture: grid, ticks and labels.
    pub(super) fn open(&self, x_label: &str, y_label: &str) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
        );
        let tick = |(low, high): (f64, f64), i: i32| low + (high - low) * f64::from(i) / 4.0;
        for i in 0..=4 {
            let (x, y) = (tick(self.x, i), tick(self.y, i));
            let (px, py) = (self.place_x(x), self.place_y(y));
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{py:.1}\" y2=\"{py:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x:.3}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                py + 4.0,
                short(y, self.y),
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
        svg
    }
}

/// A number with as many digits as its axis needs.
fn short(value: f64, (low, high): (f64, f64)) -> String {
    if high - low < 0.5 { format!("{value:.4}") } else { format!("{value:.2}") }
}

/// A line chart as a self-contained SVG picture.
pub(crate) fn line_chart(lines: &[Line], x_label: &str, y_label: &str) -> String {
    let xs = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let ys =
        lines.iter().flat_map(|line| line.points.iter().map(|point| point.1).chain(line.baseline));
    let frame = Frame { x: bounds(xs), y: bounds(ys) };
    let mut svg = frame.open(x_label, y_label);
    for (i, line) in lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", frame.place_x(*x), frame.place_y(*y)))
            .collect();
        let legend = TOP + 16.0 * (i as f64 + 1.0);
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        if let Some(baseline) = line.baseline {
            let (y, right) = (frame.place_y(baseline), WIDTH - RIGHT);
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" \
                 stroke=\"{colour}\" stroke-dasharray=\"5 4\"/>"
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{legend:.1}\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT + 12.0,
            escape(&line.label)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A scatter plot as a self-contained SVG picture; marks tell their label when pointed at.
pub(crate) fn scatter(points: &[Point], x_label: &str, y_label: &str) -> String {
    let frame = Frame {
        x: bounds(points.iter().map(|point| point.x)),
        y: bounds(points.iter().map(|point| point.y)),
    };
    let mut svg = frame.open(x_label, y_label);
    for Point { x, y, mark, label } in points {
        let [colour, symbol, _] = mark.look();
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"15\" \
             fill=\"{colour}\">{symbol}<title>{}</title></text>",
            frame.place_x(*x),
            frame.place_y(*y) + 5.0,
            escape(label)
        );
    }
    for (i, mark) in [Mark::Baseline, Mark::Ranking, Mark::Both].into_iter().enumerate() {
        let [colour, symbol, text] = mark.look();
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{symbol} {text}</text>",
            WIDTH - RIGHT + 12.0,
            TOP + 16.0 * (i as f64 + 1.0)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Least and largest finite value, a little apart where they agree.
pub(super) fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low < high { (low, high) } else { (low.min(0.0) - 0.5, low.max(0.0) + 0.5) }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
