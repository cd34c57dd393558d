//! Estimates of importance from the teacher's own surroundings: one block moved, one skipped, or
//! every set of blocks skipped.

use serde::{Deserialize, Serialize};

use crate::search::check_losses;
use crate::{Candidate, Evaluator, ProbeError};

/// How far a weight is lowered to see how the prediction moves with it.
pub const DERIVATIVE_STEP: f64 = 0.02;
/// Most blocks whose every set is skipped: 2¹² sets a step.
pub const MAX_MASK_BLOCKS: usize = 12;
/// A threshold above any weight that is evaluated: its block is skipped.
pub(super) const SKIPPED: f64 = 2.0;

/// An [`Evaluator`] that also tells by what a student's predictions differ.
pub trait DifferenceEvaluator: Evaluator {
    /// ε(candidate) − ε(teacher) for each candidate, on one batch at one step: all values of all
    /// its samples, both halves where guided, equally many for every candidate. Must not depend on
    /// which candidates are asked for together.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn differences(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<Vec<f64>>, ProbeError>;
}

/// What is measured around the teacher, at each step and for each noise seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Estimator {
    /// The Gram matrix `G_ij = ⟨d_i, d_j⟩ / N` of `d_i = (ε(1 − δe_i) − ε(1)) / −δ`, with
    /// δ = [`DERIVATIVE_STEP`] and N values of the prediction.
    Derivative,
    /// The loss `‖ε(1, {i}) − ε(1)‖² / N` where block i alone is skipped.
    Skip,
    /// The loss of every set of skipped blocks; bit i of a set's number is block i.
    Masks,
}

impl Estimator {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Derivative, Self::Skip, Self::Masks];

    /// Checks the number of blocks.
    ///
    /// # Errors
    /// [`ProbeError::Config`] where there is no block, or more than [`MAX_MASK_BLOCKS`] whose every
    /// set would be skipped.
    pub fn check(self, blocks: usize) -> Result<(), ProbeError> {
        match (self, blocks) {
            (_, 0) => Err(ProbeError::Config("the model has no attention blocks".into())),
            (Self::Masks, more) if more > MAX_MASK_BLOCKS => Err(ProbeError::Config(format!(
                "expected at most {MAX_MASK_BLOCKS} blocks to skip every set of, found {more}"
            ))),
            _ => Ok(()),
        }
    }

    /// Values that it measures at one step of one seed, for `blocks` blocks that were checked.
    fn values(self, blocks: usize) -> usize {
        match self {
            Self::Derivative => blocks * blocks,
            Self::Skip => blocks,
            Self::Masks => 1 << blocks,
        }
    }

    /// How often it runs the U-Net on a sample of one step, the teacher's own run included.
    pub fn predictions(self, blocks: usize) -> usize {
        match self {
            Self::Derivative | Self::Skip => blocks + 1,
            Self::Masks => 1 << blocks,
        }
    }

    /// Measures one step of one seed.
    fn measure(
        self,
        evaluator: &mut dyn DifferenceEvaluator,
        seed: usize,
        step: usize,
    ) -> Result<Vec<f64>, ProbeError> {
        let blocks = evaluator.blocks();
        match self {
            Self::Derivative => gram(evaluator, seed, step),
            Self::Skip => skip_losses(evaluator, seed, step, (0..blocks).map(|block| 1 << block)),
            Self::Masks => {
                // Without a skip the student is the teacher.
                let mut losses = vec![0.0];
                losses.extend(skip_losses(evaluator, seed, step, 1..1 << blocks)?);
                Ok(losses)
            }
        }
    }
}

/// The Gram matrix of the derivatives, row by row.
pub(super) fn gram(
    evaluator: &mut dyn DifferenceEvaluator,
    seed: usize,
    step: usize,
) -> Result<Vec<f64>, ProbeError> {
    let blocks = evaluator.blocks();
    let weight = |block: usize, at: usize| if at == block { 1.0 - DERIVATIVE_STEP } else { 1.0 };
    let weights: Vec<Vec<f64>> =
        (0..blocks).map(|block| (0..blocks).map(|at| weight(block, at)).collect()).collect();
    let thresholds = vec![0.0; blocks];
    let candidates: Vec<Candidate<'_>> =
        weights.iter().map(|weights| Candidate { weights, thresholds: &thresholds }).collect();
    let differences = evaluator.differences(seed, step, &candidates)?;
    let count = differences.first().map_or(0, Vec::len);
    if count == 0 || differences.len() != blocks || differences.iter().any(|d| d.len() != count) {
        return Err(ProbeError::Evaluator(format!(
            "step {step}: expected {blocks} differences of equally many values, found {:?}",
            differences.iter().map(Vec::len).collect::<Vec<_>>()
        )));
    }
    let scale = DERIVATIVE_STEP * DERIVATIVE_STEP * count as f64;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / scale;
    let gram: Vec<f64> =
        differences.iter().flat_map(|a| differences.iter().map(move |b| product(a, b))).collect();
    check_losses(&gram, blocks * blocks, step)?;
    Ok(gram)
}

/// The losses where those sets of blocks are skipped.
pub(super) fn skip_losses(
    evaluator: &mut dyn DifferenceEvaluator,
    seed: usize,
    step: usize,
    sets: impl Iterator<Item = usize>,
) -> Result<Vec<f64>, ProbeError> {
    let blocks = evaluator.blocks();
    let threshold = |set: usize, block: usize| if set >> block & 1 == 1 { SKIPPED } else { 0.0 };
    let thresholds: Vec<Vec<f64>> =
        sets.map(|set| (0..blocks).map(|block| threshold(set, block)).collect()).collect();
    let weights = vec![1.0; blocks];
    let candidates: Vec<Candidate<'_>> =
        thresholds.iter().map(|thresholds| Candidate { weights: &weights, thresholds }).collect();
    let losses = evaluator.losses(seed, step, &candidates)?;
    check_losses(&losses, candidates.len(), step)?;
    Ok(losses)
}

/// What was measured so far: everything needed to go on, and to tell importance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimates {
    /// What is measured.
    pub estimator: Estimator,
    /// Its values `[step][seed][value]`, for the steps done.
    pub measured: Vec<Vec<Vec<f64>>>,
}

impl Estimates {
    /// Nothing measured yet.
    pub fn new(estimator: Estimator) -> Self {
        Self { estimator, measured: Vec::new() }
    }

    /// Checks that a saved state continues an estimate of so many steps, seeds and blocks.
    ///
    /// # Errors
    /// [`ProbeError::State`] saying what differs or is broken; [`ProbeError::Config`] as
    /// [`Estimator::check`].
    pub fn check_continues(
        &self,
        steps: usize,
        seeds: usize,
        blocks: usize,
    ) -> Result<(), ProbeError> {
        self.estimator.check(blocks)?;
        let differs = |what: &str| Err(ProbeError::State(what.into()));
        let values = self.estimator.values(blocks);
        if self.measured.len() > steps {
            return differs("it has more steps than there are");
        }
        if self.measured.iter().any(|step| step.len() != seeds) {
            return differs("its number of seeds differs");
        }
        let mut measured = self.measured.iter().flatten();
        if measured.any(|seed| seed.len() != values || seed.iter().any(|x| !x.is_finite())) {
            return differs("its values are not as many finite ones as it measures");
        }
        Ok(())
    }

    /// Measures the steps that are left; every batch of the evaluator is a noise seed.
    ///
    /// `after_step` sees the state after every step, to save it; an error from it ends the run.
    ///
    /// # Errors
    /// As [`Self::check_continues`]; [`ProbeError::NotFinite`] for a value that is not finite;
    /// what the evaluator or `after_step` report.
    pub fn complete(
        &mut self,
        evaluator: &mut dyn DifferenceEvaluator,
        after_step: &mut dyn FnMut(&Self) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let (steps, seeds) = (evaluator.steps(), evaluator.batches());
        self.check_continues(steps, seeds, evaluator.blocks())?;
        for step in self.measured.len()..steps {
            let of_seed = |seed| self.estimator.measure(evaluator, seed, step);
            let measured = (0..seeds).map(of_seed).collect::<Result<_, _>>()?;
            self.measured.push(measured);
            after_step(self)?;
        }
        Ok(())
    }
}
