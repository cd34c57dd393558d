//! Table II: the dynamic importance of the focus prompt, and its heat-map.

use ::probe::{VoteSummary, block_labels};
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
    let VoteSummary { importance, intervals, kendalls_w } = VoteSummary::new(&vote, SEED)?;
    let blocks = study.unet.blocks();
    let mut columns: Vec<String> = blocks.iter().map(|b| format!("blk-{}", b.site.index)).collect();
    columns.push("Kendall's W".into());
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
            cells.push(Some(Cell::plain(kendalls_w[step])));
            (format!("step {step}: {}", order.join(" ")), cells)
        })
        .collect();
    let text = &library.context.example(example).text;
    let table = Table {
        name: "table-2".into(),
        title: format!("Table II: dynamic importance for \"{text}\""),
        note: format!(
            "Rows: blocks in ascending importance; cells: importance score (Eq. 6) and its 95 % \
             bootstrap interval over {} rounds; Kendall's W is the rounds' agreement. {} equal \
             thresholds were ordered by the seeded draw.",
            vote.rounds, vote.ties
        ),
        columns,
        rows,
    };
    Ok((table, heatmap_svg(importance.matrix().rows(), &block_labels(&blocks))))
}
