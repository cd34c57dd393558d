//! The losses of the search for next to nothing: the quadratic form of the derivatives, and a
//! table of skip sets.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use reweight::runs;
use serde::{Deserialize, Serialize};

use super::estimate::{DifferenceEvaluator, gram, skip_losses};
use crate::{
    Candidate, Evaluator, ProbeConfig, ProbeError, ProbeState, Progress, UniformDraws, search,
};

/// Answers for a student from what was measured around the teacher: `(1 − w)ᵀ G (1 − w)`, `G` the
/// Gram matrix of the [derivatives](super::Estimator::Derivative), and where blocks are skipped the
/// measured loss of that set, to which the form of the other blocks is added.
///
/// The U-Net runs m + 1 times a step, and once for every skip set that occurs, whatever the number
/// of rounds, epochs and candidates.
pub struct FastEvaluator<'a> {
    exact: &'a mut dyn DifferenceEvaluator,
    /// Of each batch and step.
    grams: HashMap<(usize, usize), Vec<f64>>,
    /// Loss of each batch, step and set of skipped blocks (bit i is block i).
    skips: HashMap<(usize, usize, usize), f64>,
    /// Where the keys of `skips` are noted as well.
    noted: Option<&'a RefCell<BTreeSet<[usize; 3]>>>,
}

impl<'a> FastEvaluator<'a> {
    /// Nothing measured yet; `exact` is asked when something is needed.
    pub fn new(exact: &'a mut dyn DifferenceEvaluator) -> Self {
        Self { exact, grams: HashMap::new(), skips: HashMap::new(), noted: None }
    }

    /// Skip sets that were measured, over all batches and steps.
    pub fn skip_sets(&self) -> usize {
        self.skips.len()
    }

    /// Measures the sets that are needed and not yet known, all in one go.
    fn measure(&mut self, batch: usize, step: usize, sets: &[usize]) -> Result<(), ProbeError> {
        if !self.grams.contains_key(&(batch, step)) {
            let gram = gram(self.exact, batch, step)?;
            self.grams.insert((batch, step), gram);
        }
        let mut unknown: Vec<usize> = sets.to_vec();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|set| *set != 0 && !self.skips.contains_key(&(batch, step, *set)));
        if !unknown.is_empty() {
            let losses = skip_losses(self.exact, batch, step, unknown.iter().copied())?;
            if let Some(noted) = self.noted {
                noted.borrow_mut().extend(unknown.iter().map(|set| [batch, step, *set]));
            }
            let keys = unknown.into_iter().map(|set| (batch, step, set));
            self.skips.extend(keys.zip(losses));
        }
        Ok(())
    }
}

/// The blocks that a candidate skips; bit i is block i.
fn skip_set(candidate: &Candidate<'_>) -> usize {
    let pairs = candidate.weights.iter().zip(candidate.thresholds).enumerate();
    pairs.filter(|(_, (w, q))| !runs(**w, **q)).fold(0, |set, (block, _)| set | 1 << block)
}

/// `uᵀ G u` with `u = 1 − w` of the blocks that run.
fn quadratic(gram: &[f64], weights: &[f64], skipped: usize) -> f64 {
    let blocks = weights.len();
    let lowered = |block: usize| match skipped >> block & 1 {
        0 => 1.0 - weights[block],
        _ => 0.0,
    };
    let u: Vec<f64> = (0..blocks).map(lowered).collect();
    let row = |i: usize| (0..blocks).map(|j| gram[i * blocks + j] * u[j]).sum::<f64>();
    (0..blocks).map(|i| u[i] * row(i)).sum()
}

impl Evaluator for FastEvaluator<'_> {
    fn batches(&self) -> usize {
        self.exact.batches()
    }

    fn steps(&self) -> usize {
        self.exact.steps()
    }

    fn blocks(&self) -> usize {
        self.exact.blocks()
    }

    fn losses(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError> {
        if self.blocks() >= usize::BITS as usize {
            let found = self.blocks();
            return Err(ProbeError::Config(format!(
                "expected fewer than 64 blocks, found {found}"
            )));
        }
        let sets: Vec<usize> = candidates.iter().map(skip_set).collect();
        self.measure(batch, step, &sets)?;
        let gram = &self.grams[&(batch, step)];
        let loss = |(candidate, set): (&Candidate<'_>, &usize)| {
            let skipped = self.skips.get(&(batch, step, *set)).copied().unwrap_or(0.0);
            skipped + quadratic(gram, candidate.weights, *set)
        };
        Ok(candidates.iter().zip(&sets).map(loss).collect())
    }
}

/// A search on these tables between two epochs: everything needed to go on, and to tell what it
/// took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastSearch {
    /// The search itself.
    pub state: ProbeState,
    /// Batch, step and set of skipped blocks (bit i is block i) of every measured loss.
    skip_sets: BTreeSet<[usize; 3]>,
}

impl FastSearch {
    /// The search before its first epoch.
    ///
    /// # Errors
    /// As [`ProbeState::new`].
    pub fn new(
        config: &ProbeConfig,
        steps: usize,
        blocks: usize,
        draws: &mut dyn UniformDraws,
    ) -> Result<Self, ProbeError> {
        let state = ProbeState::new(config, steps, blocks, draws)?;
        Ok(Self { state, skip_sets: BTreeSet::new() })
    }

    /// Searches to the last epoch; `after_epoch` sees the state after every epoch, to save it.
    ///
    /// # Errors
    /// As [`search`].
    pub fn complete(
        &mut self,
        exact: &mut dyn DifferenceEvaluator,
        draws: &mut dyn UniformDraws,
        progress: &mut dyn FnMut(Progress),
        after_epoch: &mut dyn FnMut(&Self) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let noted = RefCell::new(std::mem::take(&mut self.skip_sets));
        let mut evaluator = FastEvaluator { noted: Some(&noted), ..FastEvaluator::new(exact) };
        let done = search(&mut self.state, &mut evaluator, draws, progress, &mut |state| {
            let (state, skip_sets) = (state.clone(), noted.borrow().clone());
            after_epoch(&Self { state, skip_sets })
        });
        self.skip_sets = noted.take();
        done
    }

    /// How often the finished search ran the U-Net on a sample, wherever it was interrupted: the
    /// teacher, each block lowered, and the skip sets; where a single batch was searched on.
    pub fn predictions(&self) -> usize {
        self.state.steps() * (self.state.blocks() + 1) + self.skip_sets.len()
    }
}
