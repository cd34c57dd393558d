//! What is left out of a run so that it stays within a budget.

use reweight::{BlockWeights, StepMatrix};
use serde::{Deserialize, Serialize};
use unet_core::BlockMode;

use super::costs::SkipCosts;
use super::greedy::{Sets, by_loss, by_rank};
use super::knapsack::{Choice, best};
use super::losses::{Model, SkipLosses};
use crate::{PruningError, SkipSets};

/// What stands for a block that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Omission {
    /// Nothing: features pass unchanged.
    Skip,
    /// What the block added when it last ran. Every block runs at the first step.
    Reuse,
}

impl Omission {
    /// The first step at which a block may be left out.
    pub fn first_step(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::Reuse => 1,
        }
    }
}

/// The blocks that do not run at each step, what stands for them, and what that is foreseen to do.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipPlan {
    /// The blocks that do not run.
    pub skips: SkipSets,
    /// What stands for them.
    pub omission: Omission,
    /// What is left of the cost, from 0 to 1.
    pub share: f64,
}

impl SkipPlan {
    /// The plan of least loss that costs at most `budget` (0 to 1, rounding of 1e-9 apart) of what all blocks at all steps
    /// do: of all plans where every set's loss is known; where each block's alone is, blocks are
    /// left out in the order of their loss for what they save, and where one set at all steps is
    /// better than that, it is taken.
    ///
    /// The losses are those of skips, with [`Omission::Reuse`] as well.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for a budget that is out of range or cannot be kept, or costs of
    /// another number of blocks.
    pub fn within(
        losses: &SkipLosses,
        costs: &SkipCosts,
        budget: f64,
        omission: Omission,
    ) -> Result<Self, PruningError> {
        let (steps, first) = (losses.steps(), omission.first_step());
        check_blocks(losses.blocks(), costs)?;
        let needed = costs.needed(steps, steps.saturating_sub(first), budget)?;
        let sets = match losses.model() {
            Model::Sets(of_step) => exact(of_step, costs, first, needed),
            Model::Blocks(of_step) => {
                let greedy = by_loss(of_step, costs, first, needed);
                let fixed = one_set(of_step, costs, first, needed);
                let loss = |sets: &Sets| Some(losses.loss(&as_skips(losses.blocks(), sets).ok()?));
                let found = greedy.into_iter().chain(fixed);
                found.min_by(|a, b| {
                    loss(a).partial_cmp(&loss(b)).unwrap_or(std::cmp::Ordering::Equal)
                })
            }
        };
        Self::of(losses.blocks(), sets, costs, omission)
    }

    /// The plan that leaves out the least important blocks first: those of all steps, the last step
    /// before the others, then the second least important, and so on, until it costs at most
    /// `budget`. `ranking` holds the blocks of each step, least important first.
    ///
    /// # Errors
    /// As [`Self::within`]; also for a ranking whose rows are not permutations of the blocks.
    pub fn by_rank(
        ranking: &StepMatrix<usize>,
        costs: &SkipCosts,
        budget: f64,
        omission: Omission,
    ) -> Result<Self, PruningError> {
        crate::strategies::check_ranking(ranking)?;
        check_blocks(ranking.blocks(), costs)?;
        let (steps, first) = (ranking.steps(), omission.first_step());
        let needed = costs.needed(steps, steps.saturating_sub(first), budget)?;
        let sets = by_rank(ranking, costs, first, needed);
        Self::of(ranking.blocks(), sets, costs, omission)
    }

    /// The plan that leaves out the same blocks at every step at which that is possible.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for a block that there is not, or no step.
    pub fn fixed(
        steps: usize,
        set: &[usize],
        costs: &SkipCosts,
        omission: Omission,
    ) -> Result<Self, PruningError> {
        let at = |step: usize| if step < omission.first_step() { Vec::new() } else { set.to_vec() };
        let skips = SkipSets::new(costs.blocks().len(), (0..steps).map(at).collect())?;
        let share = costs.share(&skips);
        Ok(Self { skips, omission, share })
    }

    /// The plan that runs all blocks at every `every`th step, from the first on, and none at the
    /// others, at which what they added last is added again: the rule of feature caching (Ma et al.,
    /// *DeepCache*, arXiv 2312.00858), on the Transformers alone.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for no step, or where `every` is 0.
    pub fn refreshed(steps: usize, every: usize, costs: &SkipCosts) -> Result<Self, PruningError> {
        if every == 0 {
            return Err(PruningError::Settings("expected to run at every step or less".into()));
        }
        let blocks = costs.blocks().len();
        let at = |step: usize| {
            if step.is_multiple_of(every) { Vec::new() } else { (0..blocks).collect() }
        };
        let skips = SkipSets::new(blocks, (0..steps).map(at).collect())?;
        let share = costs.share(&skips);
        Ok(Self { skips, omission: Omission::Reuse, share })
    }

    fn of(
        blocks: usize,
        sets: Option<Sets>,
        costs: &SkipCosts,
        omission: Omission,
    ) -> Result<Self, PruningError> {
        let Some(sets) = sets else {
            unreachable!("what can be saved was compared with what is needed")
        };
        let skips = as_skips(blocks, &sets)?;
        let share = costs.share(&skips);
        Ok(Self { skips, omission, share })
    }

    /// The schedule that does it, all weights 1.
    ///
    /// # Errors
    /// [`PruningError::Reweight`], which plans that were made here do not give.
    pub fn block_weights(&self) -> Result<BlockWeights, PruningError> {
        let left_out = match self.omission {
            Omission::Skip => BlockMode::Skip,
            Omission::Reuse => BlockMode::Reuse,
        };
        let steps = self.skips.steps();
        let modes = StepMatrix::from_fn(steps.len(), self.skips.blocks(), |step, block| {
            if steps[step].contains(&block) { left_out } else { BlockMode::Run }
        });
        Ok(BlockWeights::vanilla(steps.len(), self.skips.blocks()).with_modes(modes)?)
    }
}

fn check_blocks(blocks: usize, costs: &SkipCosts) -> Result<(), PruningError> {
    match costs.blocks().len() {
        found if found == blocks => Ok(()),
        found => Err(PruningError::Settings(format!(
            "expected the costs of {blocks} blocks, as in the importance map, found {found}"
        ))),
    }
}

fn as_skips(blocks: usize, sets: &[usize]) -> Result<SkipSets, PruningError> {
    let members = |set: &usize| (0..blocks).filter(|block| set >> block & 1 == 1).collect();
    SkipSets::new(blocks, sets.iter().map(members).collect())
}

/// Any set at each step from `first` on, none before.
fn exact(losses: &[Vec<f64>], costs: &SkipCosts, first: usize, needed: u64) -> Option<Sets> {
    let savings: Vec<u64> = (0..1 << costs.blocks().len()).map(|set| costs.saving(set)).collect();
    let choices = |(step, losses): (usize, &Vec<f64>)| {
        let sets = if step < first { 1 } else { losses.len() };
        (0..sets).map(|set| Choice { saving: savings[set], loss: losses[set], set }).collect()
    };
    best(&losses.iter().enumerate().map(choices).collect::<Vec<_>>(), needed)
}

/// The best of the sets that are left out at all steps from `first` on: for each block, whether it
/// is one of them.
fn one_set(losses: &StepMatrix, costs: &SkipCosts, first: usize, needed: u64) -> Option<Sets> {
    let skippable = losses.steps().saturating_sub(first);
    let choices = |block: usize| {
        let loss = (first..losses.steps()).map(|step| losses[step][block]).sum();
        let saving = costs.blocks()[block].saturating_mul(skippable as u64);
        vec![Choice { saving: 0, loss: 0.0, set: 0 }, Choice { saving, loss, set: 1 << block }]
    };
    let members = best(&(0..losses.blocks()).map(choices).collect::<Vec<_>>(), needed)?;
    let set = members.into_iter().sum();
    Some((0..losses.steps()).map(|step| if step < first { 0 } else { set }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEPS: usize = 3;
    const BLOCKS: usize = 3;

    fn costs() -> impl Strategy<Value = SkipCosts> {
        let blocks = proptest::collection::vec(1u64..30, BLOCKS);
        (0u64..100, blocks).prop_map(|(rest, blocks)| {
            SkipCosts::new(rest + blocks.iter().sum::<u64>(), blocks).unwrap()
        })
    }

    /// Of all sets, or of each block; eighths, whose sums are exact.
    fn losses() -> impl Strategy<Value = SkipLosses> {
        let rows = |count: usize| {
            let loss = (0u32..1000).prop_map(|eighths| f64::from(eighths) / 8.0);
            proptest::collection::vec(proptest::collection::vec(loss, count), STEPS)
        };
        let sets = rows(1 << BLOCKS).prop_map(|mut rows| {
            rows.iter_mut().for_each(|row| row[0] = 0.0);
            SkipLosses::of_sets(BLOCKS, rows).unwrap()
        });
        let blocks = rows(BLOCKS)
            .prop_map(|rows| SkipLosses::of_blocks(StepMatrix::from_rows(rows).unwrap()).unwrap());
        prop_oneof![sets, blocks]
    }

    fn omission() -> impl Strategy<Value = Omission> {
        prop_oneof![Just(Omission::Skip), Just(Omission::Reuse)]
    }

    proptest! {
        #[test]
        fn within_keeps_the_budget_and_beats_every_set_at_all_steps(
            losses in losses(), costs in costs(), omission in omission(),
        ) {
            for set in 0usize..1 << BLOCKS {
                let members: Vec<usize> = (0..BLOCKS).filter(|i| set >> i & 1 == 1).collect();
                let fixed = SkipPlan::fixed(STEPS, &members, &costs, omission).unwrap();
                let plan = SkipPlan::within(&losses, &costs, fixed.share, omission).unwrap();
                prop_assert!(plan.share <= fixed.share + 1e-9);
                prop_assert!(losses.loss(&plan.skips) <= losses.loss(&fixed.skips));
            }
        }

        #[test]
        fn within_foresees_no_less_loss_for_a_smaller_budget(
            losses in losses(), costs in costs(), omission in omission(),
        ) {
            let foreseen = |percent: u32| {
                let budget = f64::from(percent) / 100.0;
                let plan = SkipPlan::within(&losses, &costs, budget, omission).ok()?;
                Some(losses.loss(&plan.skips))
            };
            let mut last = 0.0;
            for percent in (0..=100).rev() {
                let Some(loss) = foreseen(percent) else { break };
                prop_assert!(loss >= last);
                last = loss;
            }
            prop_assert_eq!(foreseen(100), Some(0.0));
        }

        #[test]
        fn plans_with_reuse_can_be_run(losses in losses(), costs in costs()) {
            let budget = 1.0 - costs.blocks()[0] as f64 / costs.step() as f64 / 2.0;
            let plan = SkipPlan::within(&losses, &costs, budget, Omission::Reuse).unwrap();
            let weights = plan.block_weights().unwrap();
            for block in 0..BLOCKS {
                prop_assert_eq!(weights.mode(0, block), BlockMode::Run);
                for step in 1..STEPS {
                    let left_out = plan.skips.steps()[step].contains(&block);
                    prop_assert_eq!(weights.mode(step, block) == BlockMode::Reuse, left_out);
                }
            }
        }
    }

    #[test]
    fn within_fifty_steps_of_unequal_costs_take_no_time() {
        let noise = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let costs = SkipCosts::new(60_000_000, (1..=7).map(noise).collect()).unwrap();
        let loss = |step: usize, set: usize| match set {
            0 => 0.0,
            _ => (set.count_ones() as f64).powi(2) * noise(1000 * step + set) as f64,
        };
        let rows = (0..50).map(|step| (0..128).map(|set| loss(step, set)).collect()).collect();
        let losses = SkipLosses::of_sets(7, rows).unwrap();
        let start = std::time::Instant::now();
        let plan = SkipPlan::within(&losses, &costs, 0.7, Omission::Skip).unwrap();
        assert!(plan.share <= 0.7 && plan.share > 0.69, "{}", plan.share);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn refreshed_runs_all_blocks_or_none() {
        let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
        let plan = SkipPlan::refreshed(4, 2, &costs).unwrap();
        assert_eq!(plan.skips.to_string(), " | 0+1 |  | 0+1");
        assert!((plan.share - 0.75).abs() < 1e-12);
        assert!(plan.block_weights().is_ok());
    }

    #[test]
    fn plans_of_other_shapes_are_refused() {
        let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
        let three = StepMatrix::from_rows(vec![vec![0, 1, 2]]).unwrap();
        let error = SkipPlan::by_rank(&three, &costs, 0.9, Omission::Skip).unwrap_err();
        assert!(error.to_string().contains("3 blocks"), "{error}");
        let losses = SkipLosses::of_blocks(three.map(|_| 1.0)).unwrap();
        assert!(SkipPlan::within(&losses, &costs, 0.9, Omission::Skip).is_err());
        let losses = SkipLosses::of_blocks(StepMatrix::filled(1, 2, 1.0)).unwrap();
        let error = SkipPlan::within(&losses, &costs, 0.9, Omission::Reuse).unwrap_err();
        assert!(error.to_string().contains("0 of 1 steps"), "{error}");
        assert!(SkipPlan::fixed(1, &[2], &costs, Omission::Skip).is_err());
        assert!(SkipPlan::refreshed(2, 0, &costs).is_err());
    }
}
