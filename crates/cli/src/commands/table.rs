//! Tables of blocks on the terminal.

use probe::Agreement;
use reweight::StepMatrix;

/// Prints the score of every block at every step, the order that follows, and how far the rounds of
/// a vote agree, beside what chance gives.
pub fn print_scores(
    scores: &StepMatrix,
    labels: &[String],
    ranking: &StepMatrix<usize>,
    agreement: Option<&[Agreement]>,
) -> anyhow::Result<()> {
    let agreed = match agreement {
        Some(_) => format!(" {:>7} {:>7} {:>7}", "W", "chance", "p"),
        None => String::new(),
    };
    terminal::line(format_args!("{:>8} {}{agreed}", "", labels.join("  ")))?;
    for (step, row) in scores.rows().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(labels)
            .map(|(score, label)| format!("{score:>width$.3}", width = label.len()))
            .collect();
        let agreed = agreement.map_or_else(String::new, |agreement| {
            let Agreement { kendalls_w, chance, p, .. } = agreement[step];
            format!(" {kendalls_w:>7.2} {chance:>7.2} {p:>7.4}")
        });
        terminal::line(format_args!("step {step:>3} {}{agreed}", cells.join("  ")))?;
    }
    for (step, order) in ranking.rows().enumerate() {
        let order: Vec<String> = order.iter().map(usize::to_string).collect();
        let order = order.join(" ");
        terminal::line(format_args!("step {step}: least to most important {order}"))?;
    }
    Ok(())
}

/// What the agreement of a vote's rounds is worth.
pub fn chance_in_words(agreement: &[Agreement]) -> String {
    let chance = Agreement::steps_of_chance(agreement).len();
    let steps = agreement.len();
    match chance {
        0 => format!("the rounds agree by more than chance at each of {steps} steps"),
        _ => format!(
            "at {chance} of {steps} steps the rounds agree no more than by chance (p above 0.05): \
             their order there, drawn grey, is noise"
        ),
    }
}

/// Prints rows of a cell for each block.
pub fn print_cells(
    blocks: &[String],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> anyhow::Result<()> {
    terminal::line(format_args!("{:>8}  {}", "", blocks.join("  ")))?;
    for (name, cells) in rows {
        let padded = cells.iter().zip(blocks);
        let cells: Vec<String> =
            padded.map(|(cell, label)| format!("{cell:>width$}", width = label.len())).collect();
        terminal::line(format_args!("{name:>8}  {}", cells.join("  ")))?;
    }
    Ok(())
}
