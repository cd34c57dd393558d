//! Curves of what is got for what is spent, with intervals, as self-contained SVG pictures.

use std::fmt::Write;

use super::chart::{COLOURS, Frame, RIGHT, TOP, WIDTH, bounds, escape};

/// One point, and the interval of its height.
pub(crate) struct Estimated {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) interval: [f64; 2],
    pub(crate) label: String,
}

/// Points of one method.
pub(crate) struct Curve {
    pub(crate) label: String,
    pub(crate) points: Vec<Estimated>,
    /// Whether neighbours are joined by a line.
    pub(crate) joined: bool,
}

/// The curves; points tell their label when pointed at.
pub(crate) fn tradeoff(curves: &[Curve], x_label: &str, y_label: &str) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let frame = Frame {
        x: bounds(points().map(|point| point.x)),
        y: bounds(points().flat_map(|point| point.interval)),
    };
    let mut svg = frame.open(x_label, y_label);
    for (i, Curve { label, points, joined }) in curves.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        if *joined {
            let corners: Vec<String> = points
                .iter()
                .map(|point| format!("{:.1},{:.1}", frame.place_x(point.x), frame.place_y(point.y)))
                .collect();
            let _ = write!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                corners.join(" ")
            );
        }
        for Estimated { x, y, interval: [low, high], label } in points {
            let (x, y) = (frame.place_x(*x), frame.place_y(*y));
            let (low, high) = (frame.place_y(*low), frame.place_y(*high));
            let _ = write!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\" \
                 stroke=\"{colour}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" \
                 fill=\"{colour}\"><title>{}</title></circle>",
                escape(label)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT + 12.0,
            TOP + 16.0 * (i as f64 + 1.0),
            escape(label)
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tradeoff_draws_each_point_and_joins_those_that_are_to_be() {
        let point = |x: f64, label: &str| Estimated {
            x,
            y: 2.0 * x,
            interval: [2.0 * x - 1.0, 2.0 * x + 1.0],
            label: label.into(),
        };
        let curve = |label: &str, joined| Curve {
            label: label.into(),
            points: vec![point(1.0, "a < b"), point(3.0, "c")],
            joined,
        };
        let svg = tradeoff(&[curve("one", true), curve("two", false)], "x", "y");
        assert_eq!(svg.matches("<circle").count(), 4);
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("a &lt; b").count(), 2);
        assert!(svg.ends_with("</svg>"));
    }
}
