//! A search of weights on the terminal.

use probe::TuneReport;

use super::summary::{Outcome, Summary};
use crate::commands::table::print_cells;

/// Prints slopes, weights, and what they are worth.
pub fn report(report: &TuneReport<Summary>, steps: usize) -> anyhow::Result<()> {
    let TuneReport { blocks, settings, trials, summary, .. } = report;
    let name = |group: usize| settings.span.name(group, steps);
    terminal::line(
        "change of the training score with a weight by 0.1, where it was first tried (* its sign is \
         sure)",
    )?;
    let slope = |group: usize, block: usize| {
        let tried = trials.iter().find(|trial| (trial.group, trial.block) == (group, block));
        tried.map_or_else(String::new, |trial| {
            let sure = if trial.slope.is_signed() { "*" } else { " " };
            format!("{:+.5}{sure}", 0.1 * trial.slope.mean)
        })
    };
    let cells = |group: usize| (0..blocks.len()).map(move |block| (group, block));
    let groups = report.weights.len();
    print_cells(
        blocks,
        (0..groups).map(|group| {
            (name(group), cells(group).map(|(group, block)| slope(group, block)).collect())
        }),
    )?;
    terminal::line("weights")?;
    print_cells(
        blocks,
        report.weights.iter().enumerate().map(|(group, row)| {
            (name(group), row.iter().map(|weight| format!("{weight:.4}")).collect())
        }),
    )?;
    terminal::line(format_args!("{}, after {} evaluations", summary.score, report.evaluations))?;
    outcome("training", &summary.train)?;
    outcome("test seeds", &summary.test)?;
    if let Some(other) = &summary.other {
        outcome("other prompts", other)?;
    }
    terminal::line(&summary.verdict)
}

fn outcome(name: &str, outcome: &Outcome) -> anyhow::Result<()> {
    terminal::line(format_args!(
        "{name:>14}: vanilla {:.5}, tuned {:.5}, difference {} over {} {} ({})",
        outcome.vanilla,
        outcome.tuned,
        outcome.words(),
        outcome.difference.count,
        outcome.over,
        match outcome.difference.p_value {
            p if p < 0.0001 => "p below 0.0001".to_string(),
            p => format!("p {p:.4}"),
        }
    ))
}
