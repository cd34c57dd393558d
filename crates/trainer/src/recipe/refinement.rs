//! The recipe of a second training of U-Net and text encoder.

use serde::{Deserialize, Serialize};

use super::{AugmentRecipe, CaptionsRecipe, DiffusionRecipe, OptimizerRecipe, Recipe};

/// How U-Net and text encoder are trained further, from their averaged weights: fewer variants and
/// vaguer captions let details be learnt that a first training has only begun with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefinementRecipe {
    /// Probability of a keyword, as [`CaptionsRecipe::keyword`].
    pub keyword: f64,
    /// Probability of the kind of thing.
    pub kind: f64,
    /// Probability of the colour.
    pub colour: f64,
    /// Variants of the pictures; each only as it is by default.
    #[serde(default)]
    pub augment: AugmentRecipe,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
}

impl RefinementRecipe {
    /// `captions` with this recipe's probabilities.
    pub(super) fn captions(&self, captions: &CaptionsRecipe) -> CaptionsRecipe {
        let Self { keyword, kind, colour, .. } = *self;
        CaptionsRecipe { keyword, kind, colour, phrases: captions.phrases.clone() }
    }
}

impl Recipe {
    /// What the first training of U-Net and text encoder follows.
    pub(crate) fn unrefined(&self) -> Self {
        let diffusion = DiffusionRecipe { refinement: None, ..self.diffusion.clone() };
        Self { diffusion, distillation: None, ..self.clone() }
    }

    /// The recipe of the second training, where there is one: with draws of its own.
    pub(crate) fn refined(&self) -> Option<Self> {
        let refinement = self.diffusion.refinement.as_ref()?;
        let unrefined = self.unrefined();
        let diffusion = DiffusionRecipe {
            captions: refinement.captions(&self.diffusion.captions),
            augment: refinement.augment.clone(),
            optimizer: refinement.optimizer.clone(),
            ..unrefined.diffusion
        };
        Some(Self { seed: self.seed ^ 0xdee9, diffusion, ..unrefined })
    }
}
