use probe::Vote;
use reweight::{BlockWeights, FreeU, Policy, WeightRange};
use serde::{Deserialize, Serialize};

use crate::ReproduceError;

/// How a U-Net is weighted in one row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Weighting {
    /// All weights 1.
    Vanilla,
    /// One block raised.
    Block { block: usize, weight: f64 },
    /// Importance-based (Eq. 7).
    Importance(WeightRange),
    /// Inverted importance (Eq. 8).
    Inverted(WeightRange),
    /// FreeU.
    FreeU(FreeU),
}

impl Weighting {
    /// Whether it needs a probe of the prompt.
    pub(crate) fn needs_probe(&self) -> bool {
        matches!(self, Self::Importance(_) | Self::Inverted(_))
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        let range = |range: &WeightRange| format!("[{}, {}]", range.low(), range.high());
        match self {
            Self::Vanilla => "Vanilla".into(),
            Self::Block { block, .. } => format!("blk-{block}"),
            Self::Importance(own) => range(own),
            Self::Inverted(own) => format!("{} inverted", range(own)),
            Self::FreeU(_) => "FreeU".into(),
        }
    }

    /// What is done to the U-Net, given the probe's vote where one is needed.
    pub(crate) fn policy(
        &self,
        steps: usize,
        blocks: usize,
        vote: Option<&Vote>,
    ) -> Result<Policy, ReproduceError> {
        let importance = || {
            let vote = vote.ok_or_else(|| {
                ReproduceError::Experiment(format!("{} needs a probe", self.label()))
            })?;
            Ok::<_, ReproduceError>(vote.importance()?)
        };
        Ok(match self {
            Self::Vanilla => BlockWeights::vanilla(steps, blocks).into(),
            Self::Block { block, weight } => {
                BlockWeights::static_block(steps, blocks, *block, *weight)?.into()
            }
            Self::Importance(range) => BlockWeights::importance(&importance()?, *range).into(),
            Self::Inverted(range) => BlockWeights::inverted(&importance()?, *range).into(),
            Self::FreeU(freeu) => (*freeu).into(),
        })
    }
}
