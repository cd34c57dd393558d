//! Table II: the dynamic importance of the focus prompt, and its heat-map.

use ::probe::{Agreement, VoteSummary, block_labels};
use charts::heatmap_svg;

use super::cell::{Cell, SEED};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::Probe;
use crate::run::Library;

/// The table, and the heat-map.
pub(crate) fn table2(library: &Library<'_>) -> Result<(Table, String), ReproduceError> {
    let study = &library.context.study;
    let (example, steps) = (study.focus(), study.experiment.steps);
    let vote = library.vote(&Probe { example, steps })?;
    let VoteSummary { importance, intervals, agreement } = VoteSummary::new(&vote, SEED)?;
    let blocks = study.unet.blocks();
    let mut columns: Vec<String> = blocks.iter().map(|b| format!("blk-{}", b.site.index)).collect();
    columns.extend(["Kendall's W", "W by chance", "p"].map(String::from));
    let rows = (0..importance.matrix().steps())
        .map(|step| {
            let order: Vec<String> = vote.ranking[step].iter().map(usize::to_string).collect();
            let mut cells: Vec<Option<Cell>> = importance.matrix()[step]
                .iter()
                .zip(&intervals[step])
                .map(|(score, interval)| {
                    let interval = Some([interval.low, interval.high]);
                    Some(Cell { interval, ..Cell::plain(*score) })
                })
                .collect();
            let Agreement { kendalls_w, chance, p, .. } = agreement[step];
            cells.extend([kendalls_w, chance, p].map(|value| Some(Cell::plain(value))));
            (format!("step {step}: {}", order.join(" ")), cells)
        })
        .collect();
    let text = &library.context.example(example).text;
    let table = Table {
        name: "table-2".into(),
        title: format!("Table II: dynamic importance for \"{text}\""),
        note: format!(
            "Rows: blocks in ascending importance; cells: importance score (Eq. 6) and its 95 % \
             bootstrap interval over {} rounds; Kendall's W is the rounds' agreement, which random \
             rankings give as well with probability p. {} {} equal thresholds were ordered by the \
             seeded draw.",
            vote.rounds,
            chance_in_words(&agreement),
            vote.ties
        ),
        columns,
        rows,
    };
    let grey = Agreement::steps_of_chance(&agreement);
    let svg = heatmap_svg(importance.matrix().rows(), &block_labels(&blocks), &grey);
    Ok((table, svg))
}

/// At how many steps the ranking means nothing.
fn chance_in_words(agreement: &[Agreement]) -> String {
    let (count, steps) = (Agreement::steps_of_chance(agreement).len(), agreement.len());
    format!(
        "At {count} of {steps} steps (grey in the heat-map) it cannot be told from chance (p above \
         0.05): the ranking there is noise."
    )
}
