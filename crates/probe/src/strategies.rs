use serde::{Deserialize, Serialize};

use crate::ProbeError;

/// A threshold no weight reaches: the block is always skipped.
pub const SKIP_THRESHOLD: f64 = 1.5;

/// Which blocks are skipped at which step (Sec. III-G).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PruningStrategy {
    /// Thresholds `[step][block]`, 0 or [`SKIP_THRESHOLD`].
    pub thresholds: Vec<Vec<f64>>,
    /// Whether it equals a static baseline (the purple stars of Fig. 3).
    pub duplicate: bool,
}

/// All strategies that skip, at each step, `skipped` of the `skipped + 1` least important blocks.
///
/// `ranking` is `[step][block]`, least important first; `skipped` is 1 ("skip-1", 2ᵀ strategies,
/// baselines: one block at all steps) or 2 ("skip-2", 3ᵀ strategies, baselines: symmetric pairs).
///
/// # Errors
/// [`ProbeError::Config`] for another number, too few blocks, or more than a million strategies.
pub fn skip_strategies(
    ranking: &[Vec<usize>],
    skipped: usize,
) -> Result<Vec<PruningStrategy>, ProbeError> {
    let blocks = ranking.first().map_or(0, Vec::len);
    if !(1..=2).contains(&skipped) || blocks <= skipped {
        return Err(ProbeError::Config(format!(
            "expected to skip 1 or 2 of more than {skipped} blocks, found {skipped} of {blocks}"
        )));
    }
    let choices: &[&[usize]] =
        if skipped == 1 { &[&[0], &[1]] } else { &[&[0, 1], &[0, 2], &[1, 2]] };
    let count = choices.len().checked_pow(ranking.len() as u32).filter(|count| *count <= 1_000_000);
    let Some(count) = count else {
        return Err(ProbeError::Config(format!(
            "{} steps make too many strategies to enumerate",
            ranking.len()
        )));
    };
    let baselines = baselines(ranking.len(), blocks, skipped);
    let strategy = |number: usize| {
        let mut rest = number;
        let mut thresholds = Vec::with_capacity(ranking.len());
        for step in (0..ranking.len()).rev() {
            let choice = choices[rest % choices.len()];
            rest /= choices.len();
            thresholds.push(row(blocks, choice.iter().map(|position| ranking[step][*position])));
        }
        thresholds.reverse();
        let duplicate = baselines.contains(&thresholds);
        PruningStrategy { thresholds, duplicate }
    };
    Ok((0..count).map(strategy).collect())
}

fn row(blocks: usize, skipped: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut row = vec![0.0; blocks];
    skipped.for_each(|block| row[block] = SKIP_THRESHOLD);
    row
}

/// The static strategies: each block alone, or each symmetric pair.
fn baselines(steps: usize, blocks: usize, skipped: usize) -> Vec<Vec<Vec<f64>>> {
    let rows = if skipped == 1 { static_blocks(blocks) } else { static_pairs(blocks) };
    rows.into_iter().map(|row| vec![row; steps]).collect()
}

/// Thresholds of one step that skip one block, for each block.
pub fn static_blocks(blocks: usize) -> Vec<Vec<f64>> {
    (0..blocks).map(|block| row(blocks, [block].into_iter())).collect()
}

/// Thresholds of one step that skip a block and the one opposite, for each such pair.
pub fn static_pairs(blocks: usize) -> Vec<Vec<f64>> {
    (0..blocks / 2).map(|i| row(blocks, [i, blocks - 1 - i].into_iter())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_strategies_counts_and_duplicates() {
        let ranking = vec![vec![0, 1, 2, 4, 6, 5, 3], vec![1, 0, 5, 4, 2, 6, 3]];
        let one = skip_strategies(&ranking, 1).unwrap();
        assert_eq!(one.len(), 4);
        // Blocks 0 and 1 are the two least important at both steps, so two strategies are static.
        assert_eq!(one.iter().filter(|strategy| strategy.duplicate).count(), 2);
        let two = skip_strategies(&ranking, 2).unwrap();
        assert_eq!(two.len(), 9);
        for strategy in two {
            for row in strategy.thresholds {
                assert_eq!(row.iter().filter(|threshold| **threshold > 1.0).count(), 2);
            }
        }
        assert!(skip_strategies(&ranking, 3).is_err());
        assert!(skip_strategies(&vec![vec![0, 1, 2]; 64], 1).is_err());
    }
}
