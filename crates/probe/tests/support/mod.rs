//! Predictions whose every loss is known.

use probe::{Candidate, DifferenceEvaluator, Evaluator, ProbeError};

/// Predictions that are linear in the weights: `ε(w) − ε(1) = A (1 − w)`, a skip being weight 0.
pub struct Linear {
    /// `A` of each seed, `[seed][value][block]`; the same at every step.
    pub jacobians: Vec<Vec<Vec<f64>>>,
    pub steps: usize,
}

impl Evaluator for Linear {
    fn batches(&self) -> usize {
        self.jacobians.len()
    }
    fn steps(&self) -> usize {
        self.steps
    }
    fn blocks(&self) -> usize {
        self.jacobians[0][0].len()
    }
    fn losses(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError> {
        let mean = |d: Vec<f64>| d.iter().map(|x| x * x).sum::<f64>() / d.len() as f64;
        Ok(self.differences(batch, step, candidates)?.into_iter().map(mean).collect())
    }
}

impl DifferenceEvaluator for Linear {
    fn differences(
        &mut self,
        batch: usize,
        _step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<Vec<f64>>, ProbeError> {
        let lowered = |candidate: &Candidate<'_>| -> Vec<f64> {
            let pairs = candidate.weights.iter().zip(candidate.thresholds);
            pairs.map(|(w, q)| if w + 1e-6 >= *q { 1.0 - w } else { 1.0 }).collect()
        };
        let difference = |candidate: &Candidate<'_>| {
            let u = lowered(candidate);
            let rows = self.jacobians[batch].iter();
            rows.map(|row| row.iter().zip(&u).map(|(a, u)| a * u).sum()).collect()
        };
        Ok(candidates.iter().map(difference).collect())
    }
}

/// Blocks that do not touch each other: `G` is `diag(known)`.
pub fn diagonal(known: &[f64]) -> Vec<Vec<f64>> {
    let count = known.len();
    let value = |i: usize, j: usize| if i == j { (known[i] * count as f64).sqrt() } else { 0.0 };
    (0..count).map(|i| (0..count).map(|j| value(i, j)).collect()).collect()
}
