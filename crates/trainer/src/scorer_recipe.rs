use std::path::Path;

use clip::OpenClipConfig;
use serde::{Deserialize, Serialize};

use crate::{OptimizerRecipe, TrainError};

/// How a small contrastive scorer is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerRecipe {
    /// Seed of the initial weights and of every random choice.
    pub seed: u64,
    /// Size of the byte-pair vocabulary trained on the captions.
    pub vocabulary: usize,
    /// Probability of a caption without its style.
    pub drop_style: f64,
    /// Largest shift of a picture on its white ground, in pixels.
    pub shift: usize,
    /// Largest deviation of the noise that is added to pixels in [-1, 1].
    pub noise: f64,
    /// Sizes of both towers.
    pub model: OpenClipConfig,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
}

impl ScorerRecipe {
    /// Reads a recipe in TOML.
    ///
    /// # Errors
    /// [`TrainError`] naming the file and what is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        let recipe: Self =
            toml::from_str(&text).map_err(|error| TrainError::broken(path, error))?;
        if recipe.model.text_cfg.vocab_size != recipe.vocabulary {
            return Err(TrainError::broken(
                path,
                "`model.text_cfg.vocab_size` and `vocabulary` must be equal",
            ));
        }
        Ok(recipe)
    }
}
