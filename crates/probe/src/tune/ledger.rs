//! Evaluations of weights, kept in the order in which they were asked for.

use reweight::{BlockWeights, StepMatrix};
use serde::{Deserialize, Serialize};

use super::search::TuneSettings;
use crate::ProbeError;

/// A set of samples that are scored: seeds and prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleSet {
    /// Those that weights are chosen on.
    Train,
    /// Other seeds of the same prompt.
    Test,
    /// Other prompts.
    Other,
}

/// Scores the pictures that a model makes under weights.
pub trait ScoreEvaluator {
    /// Number of steps that weights are for.
    fn steps(&self) -> usize;

    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// The score of every sample of a set, higher is better: the same samples from the same noise
    /// under whatever weights, so that what differs is the weights' doing. None where the set is
    /// empty, which that of training must not be.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn scores(&mut self, set: SampleSet, weights: &BlockWeights) -> Result<Vec<f64>, ProbeError>;
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Which samples.
    pub set: SampleSet,
    /// Changes of the weights from 1, `[group of steps][block]`.
    pub changes: Vec<Vec<f64>>,
    /// Score of every sample.
    pub scores: Vec<f64>,
}

/// What was evaluated so far: everything needed to go on, as the search follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuneState {
    /// How weights are searched.
    pub settings: TuneSettings,
    /// Evaluations, in order.
    pub evaluations: Vec<Evaluation>,
}

impl TuneState {
    /// Nothing evaluated yet.
    pub fn new(settings: TuneSettings) -> Self {
        Self { settings, evaluations: Vec::new() }
    }
}

/// What sees the state after every evaluation, to save it; an error from it ends the run.
pub(super) type AfterEvaluation<'a> = dyn FnMut(&TuneState) -> Result<(), ProbeError> + 'a;

/// Answers from a state's evaluations as long as there are some, then from an evaluator.
pub(super) struct Ledger<'a> {
    pub(super) state: &'a mut TuneState,
    evaluator: &'a mut dyn ScoreEvaluator,
    after: &'a mut AfterEvaluation<'a>,
    /// Evaluations that were asked for.
    asked: usize,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        state: &'a mut TuneState,
        evaluator: &'a mut dyn ScoreEvaluator,
        after: &'a mut AfterEvaluation<'a>,
    ) -> Self {
        Self { state, evaluator, after, asked: 0 }
    }

    /// Number of steps, and of blocks.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.evaluator.steps(), self.evaluator.blocks()]
    }

    /// The scores of a set under weights `1 + changes`.
    pub(super) fn scores(
        &mut self,
        set: SampleSet,
        changes: &[Vec<f64>],
    ) -> Result<Vec<f64>, ProbeError> {
        let at = self.asked;
        self.asked += 1;
        if let Some(kept) = self.state.evaluations.get(at) {
            if kept.set != set || kept.changes != changes || !all_finite(&kept.scores) {
                return Err(ProbeError::State(format!(
                    "evaluation {at} is another than the search asks for"
                )));
            }
            return Ok(kept.scores.clone());
        }
        let steps = self.evaluator.steps();
        let weights = block_weights(&self.state.settings, changes, steps)?;
        let scores = self.evaluator.scores(set, &weights)?;
        let first = self.state.evaluations.iter().find(|kept| kept.set == set);
        let expected = first.map_or(scores.len(), |kept| kept.scores.len());
        if scores.len() != expected || (set == SampleSet::Train && scores.is_empty()) {
            return Err(ProbeError::Evaluator(format!(
                "expected the scores of {} samples, found {}",
                expected.max(1),
                scores.len()
            )));
        }
        if !all_finite(&scores) {
            return Err(ProbeError::Evaluator(
                "expected scores, found one that is no number".into(),
            ));
        }
        let changes = changes.to_vec();
        self.state.evaluations.push(Evaluation { set, changes, scores: scores.clone() });
        (self.after)(self.state)?;
        Ok(scores)
    }
}

fn all_finite(scores: &[f64]) -> bool {
    scores.iter().all(|score| score.is_finite())
}

/// The weights `1 + changes` of every step.
pub(super) fn block_weights(
    settings: &TuneSettings,
    changes: &[Vec<f64>],
    steps: usize,
) -> Result<BlockWeights, ProbeError> {
    let row = |changes: &Vec<f64>| changes.iter().map(|change| 1.0 + change).collect::<Vec<_>>();
    let rows: Vec<Vec<f64>> = changes.iter().map(row).collect();
    let rows = settings.span.spread(&rows, steps);
    Ok(BlockWeights::new(StepMatrix::from_rows(rows)?)?)
}
