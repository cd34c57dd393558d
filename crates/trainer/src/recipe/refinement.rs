//! The recipes of trainings of U-Net and text encoder after the first.

use serde::{Deserialize, Serialize};

use super::{AugmentRecipe, CaptionsRecipe, DiffusionRecipe, OptimizerRecipe, Recipe};

/// How U-Net and text encoder are trained further, from their averaged weights: fewer variants and
/// vaguer captions let details be learnt that an earlier training has only begun with.
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
    /// What all trainings of U-Net and text encoder up to the first `count` refinements follow.
    pub(crate) fn refined_to(&self, count: usize) -> Self {
        let refinement = self.diffusion.refinement[..count].to_vec();
        let diffusion = DiffusionRecipe { refinement, ..self.diffusion.clone() };
        Self { diffusion, distillation: None, ..self.clone() }
    }

    /// The first training of U-Net and text encoder, or the refinement of a number from 1 on, as if
    /// it were the only training; each has draws of its own.
    pub(crate) fn training(&self, number: usize) -> Self {
        let first = self.refined_to(0);
        let Some(index) = number.checked_sub(1) else { return first };
        let refinement = &self.diffusion.refinement[index];
        let diffusion = DiffusionRecipe {
            captions: refinement.captions(&self.diffusion.captions),
            augment: refinement.augment.clone(),
            optimizer: refinement.optimizer.clone(),
            ..first.diffusion
        };
        Self { seed: self.seed ^ (0xdee9 + index as u64), diffusion, ..first }
    }

    /// Whether a training has captions that say less than the concept.
    pub(crate) fn uses_kinds(&self) -> bool {
        let numbers = 0..=self.diffusion.refinement.len();
        numbers.into_iter().any(|number| self.training(number).diffusion.captions.is_used())
    }
}
