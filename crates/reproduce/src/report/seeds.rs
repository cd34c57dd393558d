//! Table I as the authors' scripts sample it: one prompt, many noise seeds.

use super::comparison::{beside_the_paper, filled};
use super::grid::Column;
use super::measure::{Measure, brackets};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Part, Sample, Weighting, block_weightings};
use crate::run::Library;

/// Each block alone, by the scores of one prompt's pictures.
pub(crate) fn table1_seeds(library: &Library<'_>) -> Result<Table, ReproduceError> {
    let (context, study) = (library.context, &library.context.study);
    let (measure, experiment) = (Measure::Score, &study.experiment);
    let example = study.table1_example();
    let seeds = study.size.table1_seeds;
    let steps = experiment.table1_scored_steps.iter();
    let columns = steps.map(|steps| Column::Steps { steps: *steps }).collect();
    let values = |column: &Column, weighting: Weighting| {
        let Column::Steps { steps } = *column else { return Ok(None) };
        let sample = |seed: usize| Sample { example, seed: seed as u64, steps, weighting };
        measure.values(library, (0..seeds).map(sample))
    };
    let grid = filled(columns, block_weightings(study), &values)?;
    let grid = beside_the_paper(library, measure, grid, &[Part::Table1])?;
    let text = &context.example(example).text;
    let fewer = match seeds {
        20.. => "",
        _ => " (the scripts take 20)",
    };
    Ok(grid.into_table(
        "table-1-seeds".into(),
        format!(
            "Table I as the authors' scripts sample it: each block alone at {}, one prompt, {seeds} \
             noise seeds ({})",
            experiment.table1_weight,
            measure.name(context)
        ),
        format!(
            "{}; pictures of \"{text}\" from noise seeds 0 to {}{fewer}, {}. It says something of \
             this prompt, not of others.",
            measure.what(context),
            seeds - 1,
            brackets("vanilla")
        ),
    ))
}
