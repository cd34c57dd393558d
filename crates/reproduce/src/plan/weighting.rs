//! The ways a U-Net is weighted in the tables.

use probe::Estimator;
use reweight::{FreeU, WeightRange};
use serde::{Deserialize, Serialize};

use super::control::{Control, Rule};
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
    /// A schedule that those two are compared with.
    Control(Control),
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
            Self::Control(control) => control.needs_probe(),
            Self::Skipping(skipping) => skipping.needs_probe(),
            Self::Vanilla | Self::Block { .. } | Self::FreeU(_) => false,
        }
    }

    /// The estimates of the prompt that it needs, where it does.
    pub(crate) fn needs_estimates(&self) -> Option<Estimator> {
        match self {
            Self::Skipping(skipping) => skipping.estimator(),
            Self::Control(Control { rule: Rule::Derivative, .. }) => Some(Estimator::Derivative),
            _ => None,
        }
    }

    /// Whether it needs the losses of reuse for the prompt.
    pub(crate) fn needs_reuse_losses(&self) -> bool {
        matches!(self, Self::Skipping(skipping) if skipping.needs_reuse_losses())
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        let range = |ends: &WeightRange| format!("[{}, {}]", ends.low(), ends.high());
        match self {
            Self::Vanilla => "Vanilla".into(),
            Self::Block { block, .. } => format!("blk-{block}"),
            Self::Importance(ends) => range(ends),
            Self::Inverted(ends) => format!("{} inverted", range(ends)),
            Self::Control(control) => control.label(&range(&control.range)),
            Self::FreeU(_) => "FreeU".into(),
            Self::Skipping(skipping) => skipping.label(),
        }
    }
}
