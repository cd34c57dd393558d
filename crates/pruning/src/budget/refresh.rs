//! When each block runs and when it adds again what it added before: exact for losses that add up.

use super::knapsack::{Choice, best};
use super::reuse::ReuseLosses;

/// For every number of steps at which a block reuses, the steps of least loss; `None` where so many
/// are not possible.
struct BlockPlans {
    losses: Vec<Option<f64>>,
    steps: Vec<Vec<usize>>,
}

/// How a block came to reuse so often, with what it added so long ago.
#[derive(Clone)]
struct Path {
    loss: f64,
    reused: Vec<usize>,
}

/// The best plans of one block, step by step over how often and how old what it adds is.
fn block_plans(losses: &ReuseLosses, block: usize) -> BlockPlans {
    let steps = losses.steps();
    // `[count][age]`; it runs at the first step.
    let mut paths: Vec<Vec<Option<Path>>> = vec![vec![None; steps]; steps];
    paths[0][0] = Some(Path { loss: 0.0, reused: Vec::new() });
    let keep = |place: &mut Option<Path>, path: Path| {
        if place.as_ref().is_none_or(|there| path.loss < there.loss) {
            *place = Some(path);
        }
    };
    for step in 1..steps {
        let mut next: Vec<Vec<Option<Path>>> = vec![vec![None; steps]; steps];
        for (count, ages) in paths.iter().enumerate() {
            for (age, path) in ages.iter().enumerate() {
                let Some(path) = path else { continue };
                keep(&mut next[count][0], path.clone());
                if let Some(loss) = losses.loss(step, block, age + 1) {
                    let mut reused = path.reused.clone();
                    reused.push(step);
                    let path = Path { loss: path.loss + loss, reused };
                    keep(&mut next[count + 1][age + 1], path);
                }
            }
        }
        paths = next;
    }
    let least = |ages: Vec<Option<Path>>| {
        ages.into_iter().flatten().min_by(|a, b| a.loss.total_cmp(&b.loss))
    };
    let least: Vec<Option<Path>> = paths.into_iter().map(least).collect();
    BlockPlans {
        losses: least.iter().map(|path| path.as_ref().map(|path| path.loss)).collect(),
        steps: least.into_iter().map(|path| path.map_or_else(Vec::new, |p| p.reused)).collect(),
    }
}

/// The sets of blocks that reuse at each step, bit i for block i, so that together they save
/// `needed` at the least sum of losses; none where they cannot. `savings` is what each block saves
/// at a step.
pub(super) fn best_refreshes(
    losses: &ReuseLosses,
    savings: &[u64],
    needed: u64,
) -> Option<Vec<usize>> {
    let plans: Vec<BlockPlans> =
        (0..losses.blocks()).map(|block| block_plans(losses, block)).collect();
    let choices = |(plans, saving): (&BlockPlans, &u64)| -> Vec<Choice> {
        let choice = |(count, loss): (usize, &Option<f64>)| {
            let saving = saving.saturating_mul(count as u64);
            Some(Choice { saving, loss: (*loss)?, set: count })
        };
        plans.losses.iter().enumerate().filter_map(choice).collect()
    };
    let choices: Vec<Vec<Choice>> = plans.iter().zip(savings).map(choices).collect();
    let counts = best(&choices, needed)?;
    let mut sets = vec![0; losses.steps()];
    for (block, (plans, count)) in plans.iter().zip(counts).enumerate() {
        for step in &plans.steps[count] {
            sets[*step] |= 1 << block;
        }
    }
    Some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEPS: usize = 4;
    const BLOCKS: usize = 2;

    /// Eighths, whose sums are exact.
    fn losses() -> impl Strategy<Value = ReuseLosses> {
        let loss = (0u32..100).prop_map(|eighths| f64::from(eighths) / 8.0);
        proptest::collection::vec(loss, STEPS * BLOCKS * STEPS).prop_map(|values| {
            let at = |step: usize, block: usize| {
                let start = (step * BLOCKS + block) * STEPS;
                values[start..start + step].to_vec()
            };
            let steps = (0..STEPS).map(|step| (0..BLOCKS).map(|block| at(step, block)).collect());
            ReuseLosses::new(steps.collect()).unwrap()
        })
    }

    /// The loss of a pattern, step by step; none where the first step reuses.
    fn loss(losses: &ReuseLosses, sets: &[usize]) -> Option<f64> {
        let mut sum = 0.0;
        for block in 0..BLOCKS {
            let mut age = None;
            for (step, set) in sets.iter().enumerate() {
                if set >> block & 1 == 0 {
                    age = Some(0);
                    continue;
                }
                age = Some(age? + 1);
                sum += losses.loss(step, block, age?)?;
            }
        }
        Some(sum)
    }

    fn saved(sets: &[usize], savings: &[u64]) -> u64 {
        let of_block = |block: usize| {
            let reused = sets.iter().filter(|set| *set >> block & 1 == 1).count();
            reused as u64 * savings[block]
        };
        (0..BLOCKS).map(of_block).sum()
    }

    proptest! {
        #[test]
        fn best_refreshes_are_those_of_all_patterns(
            losses in losses(), first in 1u64..9, second in 1u64..9, needed in 0u64..40,
        ) {
            let savings = [first, second];
            let patterns = (0usize..1 << (BLOCKS * STEPS)).map(|number| {
                (0..STEPS).map(|step| number >> (step * BLOCKS) & 3).collect::<Vec<usize>>()
            });
            let enough = patterns.filter(|sets| saved(sets, &savings) >= needed);
            let expected = enough.filter_map(|sets| loss(&losses, &sets)).min_by(f64::total_cmp);
            let found = best_refreshes(&losses, &savings, needed);
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let Some(sets) = found {
                prop_assert!(saved(&sets, &savings) >= needed);
                prop_assert_eq!(loss(&losses, &sets), expected);
            }
        }
    }
}
