//! The exact choice of one set for each step: what must be saved is saved at the least loss.
//!
//! Steps are joined one after the other; of all choices so far only those are kept that no other
//! beats in both saving and loss (Nemhauser and Ullmann, *Discrete Dynamic Programming and Capital
//! Allocation*, 1969), which leaves the optimum among them.

/// One set of blocks at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    pub(super) saving: u64,
    pub(super) loss: f64,
    pub(super) set: usize,
}

/// Choices so far.
#[derive(Clone, Copy)]
struct State {
    /// At most what is needed: more is worth no more.
    saving: u64,
    loss: f64,
    /// Of the last choice, in the list of all that were kept.
    node: usize,
}

/// A choice, and the node of the one before it.
struct Node {
    parent: usize,
    set: usize,
}

/// The set of each step, where together they save at least `needed` at the least sum of losses; none
/// where they cannot save so much. Losses are 0 or more.
pub(super) fn best(steps: &[Vec<Choice>], needed: u64) -> Option<Vec<usize>> {
    let fronts: Vec<Vec<Choice>> = steps.iter().map(|choices| front(choices, needed)).collect();
    // What the steps from each one on can save.
    let mut later = vec![0u64; fronts.len() + 1];
    for (step, choices) in fronts.iter().enumerate().rev() {
        let most = choices.iter().map(|choice| choice.saving).max()?;
        later[step] = later[step + 1].saturating_add(most);
    }
    if later[0] < needed {
        return None;
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut states = vec![State { saving: 0, loss: 0.0, node: usize::MAX }];
    for (step, choices) in fronts.iter().enumerate() {
        let mut joined: Vec<(State, usize)> = Vec::with_capacity(states.len() * choices.len());
        for state in &states {
            for choice in choices {
                let saving = state.saving.saturating_add(choice.saving).min(needed);
                if saving.saturating_add(later[step + 1]) >= needed {
                    let loss = state.loss + choice.loss;
                    joined.push((State { saving, loss, node: state.node }, choice.set));
                }
            }
        }
        joined.sort_by(|(a, _), (b, _)| b.saving.cmp(&a.saving).then(a.loss.total_cmp(&b.loss)));
        states.clear();
        let mut least = f64::INFINITY;
        for (State { saving, loss, node: parent }, set) in joined {
            if loss < least {
                least = loss;
                nodes.push(Node { parent, set });
                states.push(State { saving, loss, node: nodes.len() - 1 });
            }
        }
    }
    // Sorted by saving: the first saves what is needed.
    let mut at = states.first()?.node;
    let mut sets = Vec::with_capacity(steps.len());
    while let Some(Node { parent, set }) = nodes.get(at) {
        sets.push(*set);
        at = *parent;
    }
    sets.reverse();
    Some(sets)
}

/// The choices that no other beats, largest saving first.
fn front(choices: &[Choice], needed: u64) -> Vec<Choice> {
    let capped = |choice: &Choice| Choice { saving: choice.saving.min(needed), ..*choice };
    let mut sorted: Vec<Choice> = choices.iter().map(capped).collect();
    sorted.sort_by(|a, b| {
        b.saving.cmp(&a.saving).then(a.loss.total_cmp(&b.loss)).then(a.set.cmp(&b.set))
    });
    let mut least = f64::INFINITY;
    sorted.retain(|choice| {
        let better = choice.loss < least;
        least = least.min(choice.loss);
        better
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every combination, one after the other.
    fn naive(steps: &[Vec<Choice>], needed: u64) -> Option<f64> {
        let Some((first, rest)) = steps.split_first() else {
            return (needed == 0).then_some(0.0);
        };
        let with = |choice: &Choice| {
            Some(choice.loss + naive(rest, needed.saturating_sub(choice.saving))?)
        };
        first.iter().filter_map(with).min_by(f64::total_cmp)
    }

    fn steps() -> impl Strategy<Value = Vec<Vec<Choice>>> {
        let choice = (0u64..20, 0u32..1000);
        let step = proptest::collection::vec(choice, 1..6).prop_map(|pairs| {
            let choice = |(set, (saving, loss)): (usize, (u64, u32))| {
                // Quarters: sums are exact in any order.
                Choice { saving, loss: f64::from(loss) / 4.0, set }
            };
            pairs.into_iter().enumerate().map(choice).collect::<Vec<_>>()
        });
        proptest::collection::vec(step, 1..5)
    }

    proptest! {
        #[test]
        fn best_is_that_of_all_combinations(steps in steps(), needed in 0u64..70) {
            let found = best(&steps, needed);
            let expected = naive(&steps, needed);
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(sets), Some(expected)) = (found, expected) {
                let chosen: Vec<Choice> =
                    sets.iter().zip(&steps).map(|(set, step)| step[*set]).collect();
                prop_assert!(chosen.iter().map(|choice| choice.saving).sum::<u64>() >= needed);
                prop_assert_eq!(chosen.iter().map(|choice| choice.loss).sum::<f64>(), expected);
            }
        }
    }
}
