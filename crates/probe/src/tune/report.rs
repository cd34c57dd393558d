//! What a search of weights found: the file `tune.json`.

use reweight::BlockWeights;
use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, SampleSet, ScoreEvaluator, TuneState, block_weights};
use super::search::{Trial, TuneSettings, search};
use crate::ProbeError;

/// The version of [`TuneReport`] that is written.
const VERSION: u32 = 1;

/// What a finished search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The weights of every step.
    pub weights: BlockWeights,
    /// The weights of every group of steps.
    pub groups: Vec<Vec<f64>>,
    /// Every weight that was tried, in order.
    pub trials: Vec<Trial>,
    /// Scores of the training samples at weights 1, and at those that were found.
    pub train: [Vec<f64>; 2],
    /// Evaluations of weights on them.
    pub evaluations: usize,
    /// The same of the same prompt's test samples.
    pub test: [Vec<f64>; 2],
    /// The same of other prompts.
    pub other: [Vec<f64>; 2],
}

/// The result of a search of weights, whole; what differs is the caller's to summarise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuneReport<Summary> {
    /// Version of this format, 1.
    pub version: u32,
    /// Prompt, seeds, steps, score and model, as the caller names them.
    pub facts: serde_json::Value,
    /// How weights were searched.
    pub settings: TuneSettings,
    /// The blocks' names.
    pub blocks: Vec<String>,
    /// The weights that were found, of every group of steps.
    pub weights: Vec<Vec<f64>>,
    /// Every weight that was tried, in order.
    pub trials: Vec<Trial>,
    /// Evaluations on the training samples.
    pub evaluations: usize,
    /// What the weights do to the scores.
    pub summary: Summary,
}

impl TuneState {
    /// Searches from where an earlier run was interrupted, then scores the samples that nothing was
    /// chosen on, at weights 1 and at those that were found.
    ///
    /// `after` sees the state after every evaluation, to save it; an error from it ends the run.
    ///
    /// # Errors
    /// [`ProbeError::Config`] for settings out of range; [`ProbeError::State`] where an evaluation is
    /// not of this search; [`ProbeError::Evaluator`] for scores that are no numbers; what the
    /// evaluator or `after` report.
    pub fn complete(
        &mut self,
        evaluator: &mut dyn ScoreEvaluator,
        after: &mut dyn FnMut(&Self) -> Result<(), ProbeError>,
    ) -> Result<Tuned, ProbeError> {
        let settings = self.settings;
        let mut ledger = Ledger::new(self, evaluator, after);
        let found = search(&mut ledger)?;
        let vanilla: Vec<Vec<f64>> =
            found.changes.iter().map(|group| vec![0.0; group.len()]).collect();
        let mut both = |set: SampleSet| -> Result<[Vec<f64>; 2], ProbeError> {
            let at_one = ledger.scores(set, &vanilla)?;
            if found.changes == vanilla {
                return Ok([at_one.clone(), at_one]);
            }
            Ok([at_one, ledger.scores(set, &found.changes)?])
        };
        let (test, other) = (both(SampleSet::Test)?, both(SampleSet::Other)?);
        let [steps, _] = ledger.shape();
        let kept = ledger.state.evaluations.iter();
        let evaluations = kept.filter(|kept| kept.set == SampleSet::Train).count();
        let weights = |group: &Vec<f64>| group.iter().map(|change| 1.0 + change).collect();
        Ok(Tuned {
            weights: block_weights(&settings, &found.changes, steps)?,
            groups: found.changes.iter().map(weights).collect(),
            trials: found.trials,
            train: found.scores,
            evaluations,
            test,
            other,
        })
    }
}

impl Tuned {
    /// Whether no change of a weight was kept.
    pub fn is_vanilla(&self) -> bool {
        self.groups.iter().flatten().all(|weight| *weight == 1.0)
    }

    /// The report on it.
    pub fn report<Summary>(
        &self,
        facts: serde_json::Value,
        blocks: Vec<String>,
        settings: TuneSettings,
        summary: Summary,
    ) -> TuneReport<Summary> {
        TuneReport {
            version: VERSION,
            facts,
            settings,
            blocks,
            weights: self.groups.clone(),
            trials: self.trials.clone(),
            evaluations: self.evaluations,
            summary,
        }
    }
}
