//! Choices block by block, in an order, until enough is saved.

use reweight::StepMatrix;

use super::costs::SkipCosts;

/// Sets by step, as numbers whose bit i is block i.
pub(super) type Sets = Vec<usize>;

/// The first blocks of `order`, pairs of step and block, that save `needed` together.
fn first_of(
    order: &[(usize, usize)],
    steps: usize,
    costs: &SkipCosts,
    needed: u64,
) -> Option<Sets> {
    let (mut sets, mut saved) = (vec![0; steps], 0u64);
    for (step, block) in order {
        if saved >= needed {
            break;
        }
        sets[*step] |= 1 << block;
        saved = saved.saturating_add(costs.blocks()[*block]);
    }
    (saved >= needed).then_some(sets)
}

/// By loss for what is saved, least first, from step `first` on.
pub(super) fn by_loss(
    losses: &StepMatrix,
    costs: &SkipCosts,
    first: usize,
    needed: u64,
) -> Option<Sets> {
    let mut order: Vec<(usize, usize)> = (first..losses.steps())
        .flat_map(|step| (0..losses.blocks()).map(move |block| (step, block)))
        .filter(|(_, block)| costs.blocks()[*block] > 0)
        .collect();
    let price =
        |(step, block): &(usize, usize)| losses[*step][*block] / costs.blocks()[*block] as f64;
    order.sort_by(|a, b| price(a).total_cmp(&price(b)).then(a.cmp(b)));
    first_of(&order, losses.steps(), costs, needed)
}

/// By rank, least important first, from step `first` on: the least important blocks of all steps,
/// last step first, then the second, and so on.
pub(super) fn by_rank(
    ranking: &StepMatrix<usize>,
    costs: &SkipCosts,
    first: usize,
    needed: u64,
) -> Option<Sets> {
    let order: Vec<(usize, usize)> = (0..ranking.blocks())
        .flat_map(|place| {
            (first..ranking.steps()).rev().map(move |step| (step, ranking[step][place]))
        })
        .collect();
    first_of(&order, ranking.steps(), costs, needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_loss_takes_the_cheapest_savings() {
        let losses = StepMatrix::from_rows(vec![vec![4.0, 3.0], vec![1.0, 9.0]]).unwrap();
        let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
        // Prices: 2, 1 at step 0 and 0.5, 3 at step 1.
        let of = |first, needed| by_loss(&losses, &costs, first, needed);
        assert_eq!(of(0, 0), Some(vec![0, 0]));
        assert_eq!(of(0, 2), Some(vec![0, 1]));
        assert_eq!(of(0, 3), Some(vec![2, 1]));
        assert_eq!(of(1, 3), Some(vec![0, 3]));
        assert_eq!(of(1, 6), None);
    }

    #[test]
    fn by_rank_takes_the_least_important_of_all_steps_first() {
        let ranking = StepMatrix::from_rows(vec![vec![1, 0], vec![0, 1]]).unwrap();
        let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
        let of = |needed| by_rank(&ranking, &costs, 0, needed);
        assert_eq!(of(2), Some(vec![0, 1]));
        assert_eq!(of(5), Some(vec![2, 1]));
        assert_eq!(of(6), Some(vec![2, 3]));
    }
}
