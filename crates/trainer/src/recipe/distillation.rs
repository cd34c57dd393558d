//! The recipe of the few-step model.

use serde::{Deserialize, Serialize};

use super::OptimizerRecipe;

/// How the guided model is distilled into one that takes few steps without guidance.
///
/// Progressive distillation (Salimans and Ho 2022): each round teaches a model to do in one step
/// what its teacher does in two. The first round's teacher is the guided model, so that the
/// student learns guidance with it (Meng et al. 2023).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillationRecipe {
    /// The first teacher's guidance scale.
    pub guidance_scale: f64,
    /// Steps of the student of each round, each half of those before; the first teacher takes
    /// twice the first.
    pub steps: Vec<usize>,
    /// Optimiser of every round.
    pub optimizer: OptimizerRecipe,
}
