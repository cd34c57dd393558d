//! The pruning strategies of Fig. 3: from an importance ranking, and the static baselines
//! (Sec. III-G).

use reweight::StepMatrix;
use serde::{Deserialize, Serialize};

use crate::{PruningError, SkipSets};

/// Most strategies that one ranking may give: that of 10 steps gives 60,073 and some baselines.
pub const MAX_STRATEGIES: usize = 100_000;

/// Where a strategy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the importance ranking, with so many blocks skipped at a step ("skip-1", "skip-2").
    Ranking(usize),
    /// The same blocks, so many of them, at every step.
    Baseline(usize),
}

/// What is skipped at each step, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// The skipped blocks. Strategies of equal sets have the same student.
    pub skips: SkipSets,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it is from the ranking and equals a baseline (the purple stars of Fig. 3).
    pub duplicate: bool,
}

/// All strategies of Fig. 3, in this order: skip-1 and skip-2 of the ranking, each block at all
/// steps, each symmetric pair at all steps.
///
/// `ranking` holds the blocks of each step, least important first.
///
/// # Errors
/// [`PruningError::Settings`]: a ranking whose rows are not permutations of the blocks, fewer than
/// three blocks, or more than [`MAX_STRATEGIES`].
pub fn strategies(ranking: &StepMatrix<usize>) -> Result<Vec<Strategy>, PruningError> {
    let (steps, blocks) = (ranking.steps(), ranking.blocks());
    let mut strategies = Vec::with_capacity(strategy_count(steps, blocks)?);
    strategies.extend(skip_strategies(ranking, 1)?);
    strategies.extend(skip_strategies(ranking, 2)?);
    strategies.extend(static_strategies(steps, blocks, 1)?);
    strategies.extend(static_strategies(steps, blocks, 2)?);
    Ok(strategies)
}

/// How many [`strategies`] a ranking of `steps` steps and `blocks` blocks gives.
///
/// # Errors
/// [`PruningError::Settings`] for no steps, or more than [`MAX_STRATEGIES`].
pub fn strategy_count(steps: usize, blocks: usize) -> Result<usize, PruningError> {
    let count = || {
        let ranked = choices(1)?.len().checked_pow(u32::try_from(steps).ok()?)?;
        let pairs = choices(2)?.len().checked_pow(u32::try_from(steps).ok()?)?;
        ranked.checked_add(pairs)?.checked_add(blocks)?.checked_add(blocks / 2)
    };
    match count().filter(|count| steps > 0 && *count <= MAX_STRATEGIES) {
        Some(count) => Ok(count),
        None => Err(PruningError::Settings(format!(
            "expected 1 to 10 pruning steps, with at most {MAX_STRATEGIES} strategies, found {steps} \
             steps of {blocks} blocks"
        ))),
    }
}

/// All strategies that skip, at each step, `skipped` of the `skipped + 1` least important blocks.
///
/// `ranking` holds the blocks of each step, least important first; `skipped` is 1 ("skip-1", 2ᵀ strategies,
/// baselines: one block at all steps) or 2 ("skip-2", 3ᵀ strategies, baselines: symmetric pairs).
///
/// # Errors
/// As [`strategies`].
pub fn skip_strategies(
    ranking: &StepMatrix<usize>,
    skipped: usize,
) -> Result<Vec<Strategy>, PruningError> {
    let (steps, blocks) = (ranking.steps(), ranking.blocks());
    let Some(choices) = choices(skipped).filter(|_| blocks > skipped) else {
        return Err(PruningError::Settings(format!(
            "expected to skip 1 or 2 of more than {skipped} blocks, found {skipped} of {blocks}"
        )));
    };
    strategy_count(steps, blocks)?;
    check_ranking(ranking)?;
    let baselines = static_strategies(steps, blocks, skipped)?;
    let strategy = |number: usize| {
        let position = |step: usize| number / choices.len().pow((steps - 1 - step) as u32);
        let skips = ranking.rows().enumerate().map(|(step, row)| {
            let choice = choices[position(step) % choices.len()];
            choice.iter().map(|position| row[*position]).collect()
        });
        let skips = SkipSets::new(blocks, skips.collect())?;
        let duplicate = baselines.iter().any(|baseline| baseline.skips == skips);
        Ok(Strategy { skips, origin: Origin::Ranking(skipped), duplicate })
    };
    (0..choices.len().pow(steps as u32)).map(strategy).collect()
}

/// The static strategies: each block alone (`skipped` 1), or each symmetric pair of a block and the
/// one opposite (`skipped` 2), at all steps.
///
/// # Errors
/// [`PruningError::Settings`] for another number, or no steps.
pub fn static_strategies(
    steps: usize,
    blocks: usize,
    skipped: usize,
) -> Result<Vec<Strategy>, PruningError> {
    let sets: Vec<Vec<usize>> = match skipped {
        1 => (0..blocks).map(|block| vec![block]).collect(),
        2 => (0..blocks / 2).map(|block| vec![block, blocks - 1 - block]).collect(),
        _ => {
            return Err(PruningError::Settings(format!(
                "expected to skip 1 or 2 blocks, found {skipped}"
            )));
        }
    };
    sets.into_iter()
        .map(|set| {
            let skips = SkipSets::new(blocks, vec![set; steps])?;
            Ok(Strategy { skips, origin: Origin::Baseline(skipped), duplicate: false })
        })
        .collect()
}

/// The different skip sets among the strategies, in the order in which they first occur: one
/// student for each is enough.
pub fn distinct_skips(strategies: &[Strategy]) -> Vec<&SkipSets> {
    let mut seen = std::collections::HashSet::new();
    strategies.iter().map(|strategy| &strategy.skips).filter(|skips| seen.insert(*skips)).collect()
}

/// Which of the least important blocks are skipped, as positions in the ranking.
fn choices(skipped: usize) -> Option<&'static [&'static [usize]]> {
    match skipped {
        1 => Some(&[&[0], &[1]]),
        2 => Some(&[&[0, 1], &[0, 2], &[1, 2]]),
        _ => None,
    }
}

/// Every row holds every block once.
pub(crate) fn check_ranking(ranking: &StepMatrix<usize>) -> Result<(), PruningError> {
    let blocks = ranking.blocks();
    for (step, row) in ranking.rows().enumerate() {
        let mut sorted = row.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..blocks) {
            return Err(PruningError::Settings(format!(
                "step {step}: expected a ranking of the blocks 0 to {}, found {row:?}",
                blocks.saturating_sub(1)
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table II of the paper, SD-Turbo.
    fn ranking() -> StepMatrix<usize> {
        of(vec![vec![0, 1, 2, 4, 6, 5, 3], vec![1, 0, 5, 4, 2, 6, 3]])
    }

    fn of(rows: Vec<Vec<usize>>) -> StepMatrix<usize> {
        StepMatrix::from_rows(rows).unwrap()
    }

    #[test]
    fn strategies_are_those_of_the_paper() {
        let strategies = strategies(&ranking()).unwrap();
        assert_eq!(strategies.len(), strategy_count(2, 7).unwrap());
        let labels: Vec<String> = strategies.iter().map(|s| s.skips.to_string()).collect();
        let expected = [
            "0 | 1",
            "0 | 0",
            "1 | 1",
            "1 | 0",
            "0+1 | 0+1",
            "0+1 | 1+5",
            "0+1 | 0+5",
            "0+2 | 0+1",
            "0+2 | 1+5",
            "0+2 | 0+5",
            "1+2 | 0+1",
            "1+2 | 1+5",
            "1+2 | 0+5",
            "0 | 0",
            "1 | 1",
            "2 | 2",
            "3 | 3",
            "4 | 4",
            "5 | 5",
            "6 | 6",
            "0+6 | 0+6",
            "1+5 | 1+5",
            "2+4 | 2+4",
        ];
        assert_eq!(labels, expected);
        let duplicates: Vec<usize> =
            (0..labels.len()).filter(|number| strategies[*number].duplicate).collect();
        // Blocks 0 and 1 are the two least important at both steps.
        assert_eq!(duplicates, [1, 2]);
        let baselines = strategies.iter().filter(|s| matches!(s.origin, Origin::Baseline(_)));
        assert_eq!(baselines.count(), 10);
    }

    #[test]
    fn distinct_skips_leave_out_what_is_there_twice() {
        let strategies = strategies(&ranking()).unwrap();
        let distinct = distinct_skips(&strategies);
        assert_eq!(distinct.len(), strategies.len() - 2);
        assert!(strategies.iter().all(|strategy| distinct.contains(&&strategy.skips)));
        assert_eq!(distinct[1].to_string(), "0 | 0");
    }

    #[test]
    fn strategies_too_many_or_too_few_are_refused() {
        assert_eq!(strategy_count(10, 7).unwrap(), 1024 + 59049 + 10);
        for steps in [0, 11, 50, usize::MAX] {
            let error = strategy_count(steps, 7).unwrap_err().to_string();
            assert!(error.contains(&format!("found {steps} steps")), "{error}");
        }
        assert!(strategies(&of(vec![vec![0, 1, 2]; 50])).is_err());
        assert!(skip_strategies(&ranking(), 3).is_err());
        assert!(skip_strategies(&of(vec![vec![0, 1]]), 2).is_err());
        assert!(static_strategies(2, 7, 3).is_err());
    }

    #[test]
    fn strategies_of_no_ranking_are_refused() {
        for bad in [vec![0, 1, 9], vec![0, 1, 1]] {
            let error = strategies(&of(vec![vec![0, 1, 2], bad])).unwrap_err().to_string();
            assert!(error.contains("step 1: expected a ranking"), "{error}");
        }
    }
}
