//! What importance estimates foresee of the loss where blocks are skipped.

use probe::{Estimates, Estimator, Evidence, ImportanceMap, ImportanceMethod, MAX_MASK_BLOCKS};
use reweight::StepMatrix;

use crate::{PruningError, SkipSets};

/// The loss `‖ε(1, S) − ε(1)‖² / N` of skipping a set S of blocks at one step, by step; that of
/// several steps is taken to be the sum.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipLosses {
    blocks: usize,
    model: Model,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Model {
    /// `[step][set]`, as they were measured; bit i of a set's number is block i.
    Sets(Vec<Vec<f64>>),
    /// Of each block alone; that of a set is taken to be the sum.
    Blocks(StepMatrix),
}

impl SkipLosses {
    /// The losses of all sets of `blocks` blocks, `[step][set]`, 0 or more; bit i of a set's number
    /// is block i.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where there is no step, not every set, or something else than a
    /// loss; or for more than [`MAX_MASK_BLOCKS`] blocks.
    pub fn of_sets(blocks: usize, losses: Vec<Vec<f64>>) -> Result<Self, PruningError> {
        if losses.is_empty() || !(1..=MAX_MASK_BLOCKS).contains(&blocks) {
            return Err(PruningError::Settings(format!(
                "expected the losses of at least one step and 1 to {MAX_MASK_BLOCKS} blocks, found \
                 {} steps of {blocks} blocks",
                losses.len()
            )));
        }
        for (step, row) in losses.iter().enumerate() {
            if row.len() != 1 << blocks {
                let (expected, found) = (1 << blocks, row.len());
                return Err(PruningError::Settings(format!(
                    "step {step}: expected the losses of {expected} sets, found {found}"
                )));
            }
            check(step, row)?;
        }
        Ok(Self { blocks, model: Model::Sets(losses) })
    }

    /// The loss of each block alone, 0 or more.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where it holds something else than losses.
    pub fn of_blocks(losses: StepMatrix) -> Result<Self, PruningError> {
        losses.rows().enumerate().try_for_each(|(step, row)| check(step, row))?;
        Ok(Self { blocks: losses.blocks(), model: Model::Blocks(losses) })
    }

    /// The mean losses over all seeds of finished estimates of several prompts, all by the same
    /// estimator, `masks` or `skip`.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where there are none, they differ in shape, or tell no losses.
    pub fn from_estimates(blocks: usize, all: &[&Estimates]) -> Result<Self, PruningError> {
        let fail = |reason: &str| Err(PruningError::Settings(reason.into()));
        let Some(first) = all.first() else { return fail("expected estimates, found none") };
        let (estimator, steps) = (first.estimator, first.measured.len());
        if estimator == Estimator::Derivative {
            return fail("expected estimates of skips (`masks` or `skip`), found `derivative`");
        }
        let alike = |estimates: &&&Estimates| {
            (estimates.estimator, estimates.measured.len()) == (estimator, steps)
        };
        let mut means = Vec::with_capacity(steps);
        for step in 0..steps {
            let runs: Vec<&Vec<f64>> =
                all.iter().filter(alike).flat_map(|of| &of.measured[step]).collect();
            let values = runs.first().map_or(0, |run| run.len());
            if all.iter().any(|of| !alike(&of)) || runs.iter().any(|run| run.len() != values) {
                return fail("expected estimates of the same kind, steps and blocks");
            }
            let sum = |at: usize| runs.iter().map(|run| run[at]).sum::<f64>();
            means.push((0..values).map(|at| sum(at) / runs.len() as f64).collect());
        }
        match estimator {
            Estimator::Masks => Self::of_sets(blocks, means),
            _ => Self::of_blocks(StepMatrix::from_rows(means)?),
        }
    }

    /// The losses that a map of the method `masks` or `skip` tells.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for one of another method.
    pub fn from_map(map: &ImportanceMap) -> Result<Self, PruningError> {
        let method = match map.method {
            ImportanceMethod::Derivative => "derivative",
            ImportanceMethod::Vote => "vote",
            ImportanceMethod::Masks | ImportanceMethod::Skip => "",
        };
        match &map.evidence {
            Evidence::Estimates(estimates) if method.is_empty() => {
                Self::from_estimates(map.blocks.len(), &[estimates])
            }
            _ => Err(PruningError::Settings(format!(
                "expected an importance map of the method `masks` or `skip`, found `{method}`"
            ))),
        }
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        match &self.model {
            Model::Sets(losses) => losses.len(),
            Model::Blocks(losses) => losses.steps(),
        }
    }

    /// Whether every set was measured, and not each block alone.
    pub fn of_all_sets(&self) -> bool {
        matches!(self.model, Model::Sets(_))
    }

    /// The loss that is foreseen where these blocks are skipped, summed over the steps.
    ///
    /// # Panics
    /// Where `skips` has other numbers of steps or blocks.
    pub fn loss(&self, skips: &SkipSets) -> f64 {
        assert_eq!((skips.steps().len(), skips.blocks()), (self.steps(), self.blocks), "the shape");
        let steps = skips.steps().iter().enumerate();
        steps.map(|(step, skipped)| self.at(step, skipped)).fold(0.0, |sum, loss| sum + loss)
    }

    /// The loss that is foreseen where these blocks are skipped at one step.
    fn at(&self, step: usize, skipped: &[usize]) -> f64 {
        match &self.model {
            Model::Sets(losses) => {
                losses[step][skipped.iter().map(|block| 1 << block).sum::<usize>()]
            }
            Model::Blocks(losses) => skipped.iter().map(|block| losses[step][*block]).sum(),
        }
    }
}

fn check(step: usize, losses: &[f64]) -> Result<(), PruningError> {
    match losses.iter().find(|loss| !loss.is_finite() || **loss < 0.0) {
        Some(found) => Err(PruningError::Settings(format!(
            "step {step}: expected finite losses of 0 or more, found {found}"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimates(estimator: Estimator, measured: Vec<Vec<Vec<f64>>>) -> Estimates {
        Estimates { estimator, measured }
    }

    #[test]
    fn from_estimates_means_over_prompts_and_seeds() {
        let first = estimates(Estimator::Skip, vec![vec![vec![1.0, 2.0], vec![3.0, 2.0]]]);
        let second = estimates(Estimator::Skip, vec![vec![vec![5.0, 2.0]]]);
        let losses = SkipLosses::from_estimates(2, &[&first, &second]).unwrap();
        let both = SkipSets::new(2, vec![vec![0, 1]]).unwrap();
        assert_eq!((losses.loss(&both), losses.of_all_sets()), (5.0, false));
        let masks = estimates(Estimator::Masks, vec![vec![vec![0.0, 1.0, 2.0, 7.0]]]);
        let losses = SkipLosses::from_estimates(2, &[&masks]).unwrap();
        assert_eq!((losses.loss(&both), losses.of_all_sets()), (7.0, true));
    }

    #[test]
    fn from_estimates_of_other_kinds_are_refused() {
        let gram = estimates(Estimator::Derivative, vec![vec![vec![1.0]]]);
        let skip = estimates(Estimator::Skip, vec![vec![vec![1.0]]]);
        let longer = estimates(Estimator::Skip, vec![vec![vec![1.0]]; 2]);
        let wider = estimates(Estimator::Skip, vec![vec![vec![1.0, 2.0]]]);
        let masks = estimates(Estimator::Masks, vec![vec![vec![0.0, 1.0]]]);
        for all in
            [vec![], vec![&gram], vec![&skip, &longer], vec![&skip, &wider], vec![&skip, &masks]]
        {
            assert!(SkipLosses::from_estimates(1, &all).is_err());
        }
        assert!(SkipLosses::of_sets(2, vec![vec![0.0, 1.0]]).is_err());
        assert!(SkipLosses::of_sets(1, vec![vec![0.0, -1.0]]).is_err());
    }
}
