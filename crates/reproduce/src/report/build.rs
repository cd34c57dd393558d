//! All tables, figures and pictures of a report, in the paper's order.

use super::comparison::{figure4, seeded, table1};
use super::controls::controls;
use super::fewer_steps::fewer_steps;
use super::identity::{PictureRow, gallery, identity};
use super::measure::Measure;
use super::pruned::figure3;
use super::ranking::table2;
use super::seeds::table1_seeds;
use super::skipping::{skipping, skipping_times};
use super::table::Table;
use super::verdict::table_a;
use crate::ReproduceError;
use crate::plan::Part;
use crate::run::Library;

/// Everything a report shows.
#[derive(Default)]
pub(crate) struct Rendered {
    pub(crate) sections: Vec<Section>,
    pub(crate) pictures: Vec<PictureRow>,
    /// What is measured of the machine: files of their own, of which a run elsewhere, or again, has
    /// other bytes, and which are not on the page.
    pub(crate) times: Vec<Section>,
}

/// A table, and the figure it belongs to.
pub(crate) struct Section {
    pub(crate) table: Table,
    pub(crate) figure: Option<Figure>,
}

/// An SVG picture.
pub(crate) struct Figure {
    /// Short name, for files.
    pub(crate) name: &'static str,
    pub(crate) svg: String,
}

/// Two parts that are one table where both are made: this model's stands for both of the paper's.
struct Pair {
    parts: [Part; 2],
    /// Names and titles of the first alone, the second alone, and both.
    names: [(&'static str, &'static str); 3],
    what: &'static str,
}

const PAIRS: [Pair; 2] = [
    Pair {
        parts: [Part::Table3, Part::Table4],
        names: [
            ("table-3", "Table III"),
            ("table-4", "Table IV"),
            ("table-3-4", "Tables III and IV"),
        ],
        what: "importance-based weights in several ranges",
    },
    Pair {
        parts: [Part::Table5, Part::Table6],
        names: [("table-5", "Table V"), ("table-6", "Table VI"), ("table-5-6", "Tables V and VI")],
        what: "inverted importance",
    },
];

/// Renders the parts from their stored results.
pub(crate) fn build(library: &Library<'_>, parts: &[Part]) -> Result<Rendered, ReproduceError> {
    let mut rendered = Rendered::default();
    let measures = Measure::of(&library.context.study);
    let mut add = |table: Table, figure| {
        rendered.sections.push(Section { table: table.corrected(), figure });
    };
    for part in parts {
        match part {
            Part::Table1 => {
                for measure in measures {
                    add(table1(library, *measure)?, None);
                }
            }
            Part::Table1Seeds => add(table1_seeds(library)?, None),
            Part::Table2 => {
                let (table, svg) = table2(library)?;
                add(table, Some(Figure { name: "heat-map", svg }));
            }
            Part::Table3 | Part::Table4 | Part::Table5 | Part::Table6 => {
                for pair in PAIRS.iter().filter(|pair| pair.parts.contains(part)) {
                    let made: Vec<Part> =
                        pair.parts.into_iter().filter(|part| parts.contains(part)).collect();
                    if made.first() != Some(part) {
                        continue;
                    }
                    let (name, title) = match (made.len(), *part == pair.parts[0]) {
                        (1, true) => pair.names[0],
                        (1, false) => pair.names[1],
                        _ => pair.names[2],
                    };
                    for measure in measures {
                        let title = format!("{title}: {}", pair.what);
                        add(seeded(library, &made, *measure, (name, &title))?, None);
                    }
                }
            }
            Part::Controls => {
                for measure in measures {
                    add(controls(library, *measure)?, None);
                }
            }
            Part::TableA => add(table_a(library)?, None),
            Part::Skipping => {
                let (table, svg) = skipping(library)?;
                add(table, Some(Figure { name: "skipping", svg }));
                let (table, svg) = skipping_times(library)?;
                let figure = Some(Figure { name: "skipping-time", svg });
                rendered.times.push(Section { table, figure });
            }
            Part::Figure3 => {
                let (table, svg) = figure3(library)?;
                add(table, Some(Figure { name: "figure-3", svg }));
            }
            Part::Figure4 => {
                let (table, svg) = figure4(library, measures[0])?;
                add(table, Some(Figure { name: "figure-4", svg }));
            }
            Part::FewerSteps => add(fewer_steps(library)?, None),
            Part::Pictures => {
                add(identity(library)?, None);
                rendered.pictures = gallery(library)?;
            }
        }
    }
    Ok(rendered)
}
