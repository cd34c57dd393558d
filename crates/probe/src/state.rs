//! A probe between two epochs.

use reweight::StepMatrix;
use serde::{Deserialize, Serialize};

use crate::draws::UniformDraws;
use crate::{ProbeConfig, ProbeError};

/// One run of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundState {
    /// Best weights `b[step][block]`.
    pub best: StepMatrix,
    /// Thresholds `q[step][block]`.
    pub thresholds: StepMatrix,
    /// Thresholds at the beginning and after every epoch.
    pub history: Vec<StepMatrix>,
    /// Accepted and tried steps so far.
    pub accepted: [usize; 2],
    /// Acceptances of each epoch so far, `[epoch][step]`: one at most for each batch.
    #[serde(default)]
    pub accepted_at: Vec<Vec<usize>>,
}

/// A probe between two epochs: everything needed to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeState {
    /// The probe's settings.
    pub config: ProbeConfig,
    /// Epochs done.
    pub epoch: usize,
    /// All runs.
    pub rounds: Vec<RoundState>,
}

impl ProbeState {
    /// The state before the first epoch.
    ///
    /// # Errors
    /// [`ProbeError::Config`].
    pub fn new(
        config: &ProbeConfig,
        steps: usize,
        blocks: usize,
        draws: &mut dyn UniformDraws,
    ) -> Result<Self, ProbeError> {
        config.check(steps)?;
        if blocks == 0 {
            return Err(ProbeError::Config("the model has no attention blocks".into()));
        }
        let low = config.initial_low;
        let mut round = |round: usize| {
            let row = |step: usize| -> Vec<f64> {
                let draws = draws.initial(round, step, blocks);
                draws.into_iter().map(|u| low + (1.0 - low) * u).collect()
            };
            let best = StepMatrix::from_rows((0..steps).map(row).collect())?;
            let thresholds = StepMatrix::filled(steps, blocks, 0.0);
            let history = vec![thresholds.clone()];
            Ok(RoundState { best, history, thresholds, accepted: [0, 0], accepted_at: Vec::new() })
        };
        let rounds = (0..config.rounds).map(&mut round).collect::<Result<_, ProbeError>>()?;
        Ok(Self { config: config.clone(), epoch: 0, rounds })
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.epoch >= self.config.epochs
    }

    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.rounds.first().map_or(0, |round| round.thresholds.steps())
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.rounds.first().map_or(0, |round| round.thresholds.blocks())
    }

    /// The final thresholds of every run: `[round][step][block]`.
    pub fn thresholds(&self) -> Vec<StepMatrix> {
        self.rounds.iter().map(|round| round.thresholds.clone()).collect()
    }

    /// Checks that a saved state continues the probe `config`, and is whole.
    ///
    /// # Errors
    /// [`ProbeError::State`] saying what differs or is broken.
    pub fn check_continues(
        &self,
        config: &ProbeConfig,
        steps: usize,
        blocks: usize,
    ) -> Result<(), ProbeError> {
        let fits = |matrix: &StepMatrix| matrix.check_shape(steps, blocks).is_ok();
        let within =
            |matrix: &StepMatrix| matrix.values().iter().all(|value| (0.0..=1.0).contains(value));
        let shaped = |round: &RoundState| {
            [&round.best, &round.thresholds].into_iter().chain(&round.history).all(fits)
        };
        let bounded = |round: &RoundState| {
            [&round.best, &round.thresholds].into_iter().chain(&round.history).all(within)
        };
        let whole = |round: &RoundState| {
            round.history.len() == self.epoch + 1
                && round.history.last() == Some(&round.thresholds)
                && round.accepted[0] <= round.accepted[1]
                && round.accepted_at.len() == self.epoch
                && round.accepted_at.iter().all(|epoch| epoch.len() == steps)
                && accepted_in_all(&round.accepted_at) == Some(round.accepted[0])
        };
        let differs = if self.config != *config {
            "its settings differ"
        } else if self.epoch > config.epochs {
            "it has more epochs than there are"
        } else if self.rounds.len() != config.rounds || !self.rounds.iter().all(shaped) {
            "its numbers of rounds, steps or blocks differ"
        } else if !self.rounds.iter().all(bounded) {
            "weights or thresholds are not in [0, 1]"
        } else if !self.rounds.iter().all(whole) {
            "its epochs, history, thresholds and acceptances do not fit each other"
        } else {
            return Ok(());
        };
        Err(ProbeError::State(differs.into()))
    }
}

/// How many candidates were accepted at all steps of all epochs; `None` for more than can be counted.
pub(crate) fn accepted_in_all(accepted_at: &[Vec<usize>]) -> Option<usize> {
    accepted_at.iter().flatten().try_fold(0usize, |sum, count| sum.checked_add(*count))
}
