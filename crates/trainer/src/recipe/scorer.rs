//! The recipe of the small contrastive model that scores pictures against prompts.

use std::path::{Path, PathBuf};

use clip::OpenClipConfig;
use serde::{Deserialize, Serialize};

use super::{HeldOutRecipe, OptimizerRecipe, read};
use crate::TrainError;

/// How a small contrastive scorer is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerRecipe {
    /// Seed of the initial weights and of every random choice.
    pub seed: u64,
    /// Pairs that it is trained without; none by default.
    #[serde(default)]
    pub held_out: HeldOutRecipe,
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
    /// The file it was read from, for messages.
    #[serde(skip)]
    pub(super) file: PathBuf,
}

impl ScorerRecipe {
    /// Reads a recipe in TOML and checks every field.
    ///
    /// # Errors
    /// [`TrainError::Broken`] for what is no recipe, [`TrainError::Recipe`] naming every field
    /// whose value cannot be used.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let recipe = Self { file: path.into(), ..read(path)? };
        recipe.validate()?;
        Ok(recipe)
    }
}
