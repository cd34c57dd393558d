//! One self-contained page with everything that was measured.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::build::{Rendered, Section};
use super::identity::PictureRow;
use super::paper::{self, PaperTable};
use super::summary::sentences;
use super::table::text;
use crate::ReproduceError;
use crate::run::Context;

/// The page, in which everything but drawings is escaped.
const TEMPLATE: &str = include_str!("report.html");

/// A table as the template takes it.
#[derive(Serialize)]
struct PageTable<'a> {
    name: &'a str,
    title: &'a str,
    note: &'a str,
    columns: &'a [String],
    rows: Vec<PageRow<'a>>,
    svg: Option<&'a str>,
}

#[derive(Serialize)]
struct PageRow<'a> {
    label: &'a str,
    cells: Vec<PageCell>,
}

#[derive(Serialize)]
struct PageCell {
    text: String,
    /// 1 above vanilla, -1 below, 0 neither.
    direction: i8,
}

#[derive(Serialize)]
struct PagePictures<'a> {
    caption: &'a str,
    /// Label and base64 of each.
    pictures: Vec<(&'a str, String)>,
}

#[derive(Serialize)]
struct PagePaperTable<'a> {
    title: &'a str,
    note: &'a str,
    columns: &'a [String],
    rows: &'a [Vec<String>],
}

/// The page.
pub(crate) fn page(run: &Context, rendered: &Rendered) -> Result<String, ReproduceError> {
    let (study, experiment) = (&run.study, run.experiment());
    let printed = paper::beside(study)?;
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("report.html", TEMPLATE)?;
    Ok(templates.get_template("report.html")?.render(context! {
        name => experiment.name,
        model => run.pipeline.name(),
        sha256 => run.model_sha256.get(..12).unwrap_or(""),
        prompts => study.count(),
        categories => study.categories.len(),
        guidance => experiment.guidance_scale,
        seeds => [experiment.train_seed, experiment.test_seed],
        version => env!("CARGO_PKG_VERSION"),
        of_the_paper => paper::is_of_the_paper(study)?,
        summary => sentences(rendered.sections.iter().map(|section| &section.table)),
        tables => rendered.sections.iter().map(PageTable::from).collect::<Vec<_>>(),
        gallery => rendered.pictures.iter().map(PagePictures::from).collect::<Vec<_>>(),
        printed => printed.iter().map(PagePaperTable::from).collect::<Vec<_>>(),
    })?)
}

impl<'a> From<&'a Section> for PageTable<'a> {
    fn from(Section { table, figure }: &'a Section) -> Self {
        let row = |(label, cells): &'a (String, Vec<_>)| PageRow {
            label,
            cells: cells
                .iter()
                .map(|cell: &Option<super::cell::Cell>| PageCell {
                    text: text(cell.as_ref()),
                    direction: cell.as_ref().map_or(0, super::cell::Cell::direction),
                })
                .collect(),
        };
        Self {
            name: &table.name,
            title: &table.title,
            note: &table.note,
            columns: &table.columns,
            rows: table.rows.iter().map(row).collect(),
            svg: figure.as_ref().map(|figure| figure.svg.as_str()),
        }
    }
}

impl<'a> From<&'a PictureRow> for PagePictures<'a> {
    fn from(row: &'a PictureRow) -> Self {
        let pictures = row.pictures.iter();
        Self {
            caption: &row.caption,
            pictures: pictures.map(|(label, png)| (label.as_str(), STANDARD.encode(png))).collect(),
        }
    }
}

impl<'a> From<&'a PaperTable> for PagePaperTable<'a> {
    fn from(table: &'a PaperTable) -> Self {
        let PaperTable { title, note, columns, rows, .. } = table;
        Self { title, note, columns, rows }
    }
}
