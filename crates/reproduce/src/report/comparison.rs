//! Tables I and III to VI, and Fig. 4: weightings beside vanilla.

use super::cell::Cell;
use super::chart::{Line, line_chart};
use super::grid::{Column, Grid};
use super::measure::Measure;
use super::paper;
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Part, Sample, ScorerConfig, SeedRole, Study, Weighting};
use crate::plan::{block_weightings, seeded_weightings};
use crate::run::Library;

/// Table I: each block alone.
pub(crate) fn table1(library: &Library<'_>, measure: Measure) -> Result<Table, ReproduceError> {
    let (context, study) = (library.context, &library.context.study);
    let experiment = &study.experiment;
    let steps = match measure {
        Measure::Snr => &experiment.table1_steps,
        Measure::Score => &experiment.table1_scored_steps,
    };
    let columns = steps.iter().map(|steps| Column::Steps { steps: *steps }).collect();
    let values = |column: &Column, weighting| column_values(library, measure, column, weighting);
    let grid = filled(columns, block_weightings(study), &values)?;
    let grid = beside_the_paper(library, measure, grid, &[Part::Table1])?;
    Ok(grid.into_table(
        format!("table-1{}", measure.suffix(study)),
        format!(
            "Table I: each block alone at {} ({})",
            experiment.table1_weight,
            measure.name(context)
        ),
        measure.note(context),
    ))
}

/// The weightings of `parts` (which are one table) on both seeds, category by category.
pub(crate) fn seeded(
    library: &Library<'_>,
    parts: &[Part],
    measure: Measure,
    (name, title): (&str, &str),
) -> Result<Table, ReproduceError> {
    let study = &library.context.study;
    let grid = seeded_grid(library, parts, measure)?;
    let title = format!("{title} ({})", measure.name(library.context));
    Ok(grid.into_table(
        format!("{name}{}", measure.suffix(study)),
        title,
        seeded_note(library, measure),
    ))
}

/// Fig. 4: the same, and a line for each category and seed.
pub(crate) fn figure4(
    library: &Library<'_>,
    measure: Measure,
) -> Result<(Table, String), ReproduceError> {
    let context = library.context;
    let study = &context.study;
    let grid = seeded_grid(library, &[Part::Figure4], measure)?;
    let ranges = study.experiment.figure4_ranges(study.size)?;
    let line = |column: &Column| {
        let value = |range| grid.value(Weighting::Importance(range), column);
        Line {
            label: column.label(),
            points: ranges.iter().filter_map(|range| Some((range.low(), value(*range)?))).collect(),
            baseline: grid.value(Weighting::Vanilla, column),
        }
    };
    let lines: Vec<Line> = grid.columns.iter().map(line).collect();
    let label = measure.name(context);
    let chart = line_chart(&lines, "low", &format!("{label} (dashed: vanilla)"));
    let title = format!("Fig. 4: the effect of the range's lower end ({label})");
    let name = format!("figure-4{}", measure.suffix(study));
    Ok((grid.into_table(name, title, seeded_note(library, measure)), chart))
}

fn seeded_grid(
    library: &Library<'_>,
    parts: &[Part],
    measure: Measure,
) -> Result<Grid, ReproduceError> {
    let study = &library.context.study;
    let first = parts.first().copied().unwrap_or(Part::Table3);
    let weightings = seeded_weightings(study, first)?;
    let values = |column: &Column, weighting| column_values(library, measure, column, weighting);
    let grid = filled(Column::seeded(study), weightings, &values)?;
    beside_the_paper(library, measure, grid, parts)
}

fn seeded_note(library: &Library<'_>, measure: Measure) -> String {
    let (study, experiment) = (&library.context.study, library.context.experiment());
    let stand_in = match study.has_pictures() {
        true => "The styles stand where the paper has anime, concept-art, paintings and photo. ",
        false => "",
    };
    format!(
        "{} {stand_in}Train: noise seed {}, with which the importance was probed; test: noise seed \
         {}. {} steps.",
        measure.note(library.context),
        experiment.train_seed,
        experiment.test_seed,
        experiment.steps
    )
}

/// One value for each example of a column under a weighting; `None` where nothing was measured.
pub(super) type Values<'a> =
    &'a dyn Fn(&Column, Weighting) -> Result<Option<Vec<f64>>, ReproduceError>;

/// Every weighting in every column, beside vanilla.
pub(super) fn filled(
    columns: Vec<Column>,
    weightings: Vec<Weighting>,
    values: Values<'_>,
) -> Result<Grid, ReproduceError> {
    let mut rows: Vec<_> = weightings.into_iter().map(|w| (w, Vec::new())).collect();
    for column in &columns {
        let vanilla = values(column, Weighting::Vanilla)?;
        for (weighting, cells) in &mut rows {
            let cell = match (values(column, *weighting)?, &vanilla) {
                (Some(values), _) if *weighting == Weighting::Vanilla => Some(Cell::mean(&values)),
                (Some(values), Some(vanilla)) => Some(Cell::paired(&values, vanilla)?),
                _ => None,
            };
            cells.push(cell);
        }
    }
    Ok(Grid { columns, rows })
}

/// With what the paper prints in `parts`, where that is of the measure's metric.
pub(super) fn beside_the_paper(
    library: &Library<'_>,
    measure: Measure,
    mut grid: Grid,
    parts: &[Part],
) -> Result<Grid, ReproduceError> {
    let scorer = &library.context.experiment().scorer;
    if measure == Measure::Score && matches!(scorer, Some(ScorerConfig::Hps { .. })) {
        paper::annotate(&mut grid, &library.context.study, parts)?;
    }
    Ok(grid)
}

/// One value for each example of a column.
fn column_values(
    library: &Library<'_>,
    measure: Measure,
    column: &Column,
    weighting: Weighting,
) -> Result<Option<Vec<f64>>, ReproduceError> {
    let study = &library.context.study;
    let experiment = &study.experiment;
    let (examples, seed, steps) = match column {
        Column::Steps { steps } => (0..study.count(), SeedRole::Train, *steps),
        Column::Seeded { category, seed } => (examples(study, category), *seed, experiment.steps),
    };
    let seed = seed.of(experiment);
    measure.values(library, examples.map(|example| Sample { example, seed, steps, weighting }))
}

/// Those of a category, or of all of them.
fn examples(study: &Study, category: &Option<String>) -> std::ops::Range<usize> {
    let named = |name: &String| study.categories.iter().find(|category| category.name == *name);
    match category {
        Some(name) => named(name).map_or(0..0, |category| category.examples.clone()),
        None => 0..study.count(),
    }
}
