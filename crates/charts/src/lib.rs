//! Self-contained SVG drawings of plain numbers, for reports and for the command line.

#![warn(missing_docs)]

mod heatmap;

pub use heatmap::{heatmap_svg, interval_map_svg};
