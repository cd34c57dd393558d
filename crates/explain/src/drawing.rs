//! The U-Net as a drawing whose blocks can be chosen, and the importance map.

use std::fmt::Write;

use probe::{Agreement, Details, ImportanceMap};

use crate::explanation::Explanation;

/// Size of a block's box, and the room between them.
const BOX: [f64; 2] = [176.0, 58.0];
const GAP: f64 = 22.0;

/// The U-Net: the way down at the left, the way up at the right, as deep as its resolution.
pub(crate) fn unet_svg(answer: &Explanation) -> String {
    let depth = |index: usize| -> usize {
        let block = &answer.blocks[index];
        let mut sizes: Vec<usize> = answer.blocks.iter().map(|b| b.resolution[0]).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.dedup();
        let level = sizes.iter().position(|size| *size == block.resolution[0]).unwrap_or(0);
        // The bottleneck stands below others of its resolution.
        let equals = answer.blocks.iter().filter(|b| b.resolution == block.resolution).count();
        level + usize::from(block.side == "mid" && equals > 1)
    };
    let levels = 1 + (0..answer.blocks.len()).map(depth).max().unwrap_or(0);
    let (width, height) = (3.0 * BOX[0] + 2.0 * GAP + 2.0, levels as f64 * (BOX[1] + GAP) + 2.0);
    let mut svg = format!(
        "<svg class=\"unet\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
         aria-label=\"The U-Net's attention blocks\">"
    );
    for block in &answer.blocks {
        let column = match block.side.as_str() {
            "down" => 0.0,
            "mid" => 1.0,
            _ => 2.0,
        };
        let (x, y) =
            (1.0 + column * (BOX[0] + GAP), 1.0 + depth(block.index) as f64 * (BOX[1] + GAP));
        let [rows, columns] = block.resolution;
        let _ = write!(
            svg,
            "<g class=\"block\" data-block=\"{}\" role=\"button\" tabindex=\"0\" \
             aria-label=\"block {} {}\"><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" \
             rx=\"8\"/><text x=\"{}\" y=\"{}\">{} {}</text><text class=\"small\" x=\"{}\" \
             y=\"{}\">{columns}×{rows}, {:.1} M, {:.2} GMACs</text></g>",
            block.index,
            block.index,
            block.path,
            BOX[0],
            BOX[1],
            x + 10.0,
            y + 24.0,
            block.index,
            block.path,
            x + 10.0,
            y + 44.0,
            block.parameters as f64 / 1e6,
            block.macs as f64 / 1e9,
        );
        // Skip connections between the two ways.
        if block.side == "up" {
            let middle = y + BOX[1] / 2.0;
            let _ = write!(
                svg,
                "<line class=\"skip\" x1=\"{}\" y1=\"{middle}\" x2=\"{x}\" y2=\"{middle}\"/>",
                1.0 + BOX[0]
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The importance map: a row for each step with timestep and σ; hatched where a cell cannot be told
/// from its row's mean.
pub(crate) fn map_svg(answer: &Explanation) -> String {
    let labels: Vec<String> = answer
        .importance
        .steps
        .iter()
        .enumerate()
        .map(|(step, level)| format!("step {step}, t {:.0}, σ {:.2}", level.timestep, level.sigma))
        .collect();
    let unsure = answer.unsure();
    charts::interval_map_svg(
        answer.importance.scores.matrix().rows(),
        &answer.importance.blocks,
        &labels,
        &unsure,
    )
}

/// The vote's map: a row for each step with Kendall's W, its mean by chance, and p; hatched where the
/// rounds agree no more than by chance.
pub(crate) fn vote_svg(vote: &ImportanceMap) -> String {
    let agreement = match &vote.details {
        Details::Vote { agreement, .. } => &agreement[..],
        _ => &[],
    };
    let label = |(step, agreement): (usize, &Agreement)| {
        let Agreement { kendalls_w, chance, p, .. } = agreement;
        format!("step {step}, W {kendalls_w:.2} (chance {chance:.2}), p {p:.3}")
    };
    let labels: Vec<String> = agreement.iter().enumerate().map(label).collect();
    let row = |agreement: &Agreement| vec![!agreement.is_told_from_chance(); vote.blocks.len()];
    let unsure: Vec<Vec<bool>> = agreement.iter().map(row).collect();
    charts::interval_map_svg(vote.scores.matrix().rows(), &vote.blocks, &labels, &unsure)
}
