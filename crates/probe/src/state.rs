use serde::{Deserialize, Serialize};

use crate::draws::UniformDraws;
use crate::{ProbeConfig, ProbeError};

/// One run of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundState {
    /// Best weights `b[step][block]`.
    pub best: Vec<Vec<f64>>,
    /// Thresholds `q[step][block]`.
    pub thresholds: Vec<Vec<f64>>,
    /// Thresholds at the beginning and after every epoch.
    pub history: Vec<Vec<Vec<f64>>>,
    /// Accepted and tried steps so far.
    pub accepted: [usize; 2],
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
            let best = (0..steps)
                .map(|step| {
                    let draws = draws.initial(round, step, blocks);
                    draws.into_iter().map(|u| low + (1.0 - low) * u).collect()
                })
                .collect();
            let thresholds = vec![vec![0.0; blocks]; steps];
            RoundState { best, history: vec![thresholds.clone()], thresholds, accepted: [0, 0] }
        };
        let rounds = (0..config.rounds).map(&mut round).collect();
        Ok(Self { config: config.clone(), epoch: 0, rounds })
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.epoch >= self.config.epochs
    }

    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.rounds.first().map_or(0, |round| round.thresholds.len())
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.rounds.first().and_then(|round| round.thresholds.first()).map_or(0, Vec::len)
    }

    /// The final thresholds of every run: `[round][step][block]`.
    pub fn thresholds(&self) -> Vec<Vec<Vec<f64>>> {
        self.rounds.iter().map(|round| round.thresholds.clone()).collect()
    }

    /// Checks that a saved state continues the probe `config`.
    ///
    /// # Errors
    /// [`ProbeError::State`] saying what differs.
    pub fn check_continues(
        &self,
        config: &ProbeConfig,
        steps: usize,
        blocks: usize,
    ) -> Result<(), ProbeError> {
        let differs = if self.config != *config {
            "its settings differ"
        } else if self.rounds.len() != config.rounds
            || self.rounds.iter().any(|round| {
                [&round.best, &round.thresholds]
                    .into_iter()
                    .any(|rows| rows.len() != steps || rows.iter().any(|row| row.len() != blocks))
            })
        {
            "its numbers of rounds, steps or blocks differ"
        } else {
            return Ok(());
        };
        Err(ProbeError::State(differs.into()))
    }
}
