//! From what an estimator measured to importance, seed by seed and in the mean.

use reweight::{ImportanceScores, StepMatrix};

use super::estimate::{Estimates, Estimator};
use super::{games, ranks};
use crate::ProbeError;

impl Estimates {
    /// Blocks that were measured; 0 before the first step.
    pub fn blocks(&self) -> usize {
        let values = self.measured.first().and_then(|seeds| seeds.first()).map_or(0, Vec::len);
        match self.estimator {
            Estimator::Derivative => values.isqrt(),
            Estimator::Skip => values,
            Estimator::Masks => values.checked_ilog2().map_or(0, |blocks| blocks as usize),
        }
    }

    /// The importance that each seed gives: `G_ii` (derivative), the loss (skip) or the Shapley
    /// value (masks).
    ///
    /// # Errors
    /// [`ProbeError::State`] where nothing was measured, or values are broken.
    pub fn runs(&self) -> Result<Vec<StepMatrix>, ProbeError> {
        let (blocks, seeds) = (self.blocks(), self.measured.first().map_or(0, Vec::len));
        if blocks == 0 {
            return Err(ProbeError::State("nothing was measured yet".into()));
        }
        self.check_continues(self.measured.len(), seeds, blocks)?;
        let value = |measured: &[f64]| match self.estimator {
            Estimator::Derivative => (0..blocks).map(|i| measured[i * (blocks + 1)]).collect(),
            Estimator::Skip => measured.to_vec(),
            Estimator::Masks => games::shapley(measured, blocks),
        };
        let run = |seed: usize| {
            let steps = self.measured.iter().map(|seeds| value(&seeds[seed]));
            Ok(StepMatrix::from_rows(steps.collect())?)
        };
        (0..seeds).map(run).collect()
    }

    /// The mean importance over the seeds.
    ///
    /// # Errors
    /// As [`Self::runs`].
    pub fn importance(&self) -> Result<StepMatrix, ProbeError> {
        Ok(ranks::mean(&self.runs()?))
    }

    /// Scores in (0, 1], which schedules are made from: ranks from 1 among a step's blocks, mean
    /// over the seeds, divided by the number of blocks.
    ///
    /// # Errors
    /// As [`Self::runs`].
    pub fn scores(&self) -> Result<ImportanceScores, ProbeError> {
        Ok(ImportanceScores::new(ranks::mean(&ranks::run_scores(&self.runs()?)))?)
    }
}
