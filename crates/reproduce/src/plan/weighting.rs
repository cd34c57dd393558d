//! The ways a U-Net is weighted in the tables.

use probe::Estimator;
use reweight::{FreeU, WeightRange};
use serde::{Deserialize, Serialize};

use super::skipping::Skipping;

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
    /// Blocks that do not run.
    Skipping(Skipping),
}

impl Weighting {
    /// Whether it needs a probe of the prompt.
    pub(crate) fn needs_probe(&self) -> bool {
        match self {
            Self::Importance(_) | Self::Inverted(_) => true,
            Self::Skipping(skipping) => skipping.needs_probe(),
            Self::Vanilla | Self::Block { .. } | Self::FreeU(_) => false,
        }
    }

    /// The estimates of the prompt that it needs, where it does.
    pub(crate) fn needs_estimates(&self) -> Option<Estimator> {
        match self {
            Self::Skipping(skipping) => skipping.estimator(),
            _ => None,
        }
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        let range = |ends: &WeightRange| format!("[{}, {}]", ends.low(), ends.high());
        match self {
            Self::Vanilla => "Vanilla".into(),
            Self::Block { block, .. } => format!("blk-{block}"),
            Self::Importance(ends) => range(ends),
            Self::Inverted(ends) => format!("{} inverted", range(ends)),
            Self::FreeU(_) => "FreeU".into(),
            Self::Skipping(skipping) => skipping.label(),
        }
    }
}
