//! Recipes: everything that determines a trained model besides the pictures.

mod augment;
mod captions;
mod distillation;
mod fields;
mod held_out;
mod optimizer;
mod pipeline;
mod refinement;
mod scorer;
mod validate;

use std::path::Path;

use serde::de::DeserializeOwned;

pub use augment::AugmentRecipe;
pub use captions::CaptionsRecipe;
pub use distillation::DistillationRecipe;
pub use fields::FieldError;
pub use held_out::HeldOutRecipe;
pub use optimizer::OptimizerRecipe;
pub use pipeline::{AutoencoderRecipe, DiffusionRecipe, Recipe};
pub use refinement::RefinementRecipe;
pub use scorer::ScorerRecipe;

use crate::TrainError;

/// Reads a recipe in TOML without looking at its values.
fn read<R: DeserializeOwned>(path: &Path) -> Result<R, TrainError> {
    let text = files::read_to_string(path)?;
    toml::from_str(&text).map_err(|error| TrainError::broken(path, error))
}
