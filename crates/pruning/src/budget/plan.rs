//! What is left out of a run so that it stays within a budget.

use reweight::{BlockWeights, StepMatrix};
use serde::{Deserialize, Serialize};
use unet_core::BlockMode;

use super::costs::SkipCosts;
use super::greedy::{Sets, by_loss, by_rank};
use super::knapsack::{Choice, best};
use super::losses::{Model, SkipLosses};
use super::refresh::best_refreshes;
use super::reuse::ReuseLosses;
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

    /// The plan of least loss, of all in which blocks add again what they added at most
    /// [`MAX_AGE`](crate::MAX_AGE) steps before, that costs at most `budget` (0 to 1, rounding of
    /// 1e-9 apart).
    ///
    /// # Errors
    /// As [`Self::within`].
    pub fn reusing(
        losses: &ReuseLosses,
        costs: &SkipCosts,
        budget: f64,
    ) -> Result<Self, PruningError> {
        let (steps, omission) = (losses.steps(), Omission::Reuse);
        check_blocks(losses.blocks(), costs)?;
        let needed = costs.needed(steps, ReuseLosses::reusable(steps), budget)?;
        let sets = best_refreshes(losses, costs.blocks(), needed);
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
