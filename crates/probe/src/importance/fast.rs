//! The losses of the search for next to nothing: the quadratic form of the derivatives, and a
//! table of skip sets.

use std::collections::HashMap;

use reweight::runs;

use super::estimate::{DifferenceEvaluator, gram, skip_losses};
use crate::{Candidate, Evaluator, ProbeError};

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
}

impl<'a> FastEvaluator<'a> {
    /// Nothing measured yet; `exact` is asked when something is needed.
    pub fn new(exact: &'a mut dyn DifferenceEvaluator) -> Self {
        Self { exact, grams: HashMap::new(), skips: HashMap::new() }
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
