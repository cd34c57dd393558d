//! The recipe of the text-to-image model: an autoencoder, then a text encoder and a U-Net.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    AugmentRecipe, CaptionsRecipe, DistillationRecipe, FieldError, HeldOutRecipe, OptimizerRecipe,
    RefinementRecipe, read,
};
use crate::TrainError;

/// Everything that determines a trained model besides the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of the initial weights and of every random choice.
    pub seed: u64,
    /// Pairs that no stage sees; none by default.
    #[serde(default)]
    pub held_out: HeldOutRecipe,
    /// First stage.
    pub autoencoder: AutoencoderRecipe,
    /// Second stage.
    pub diffusion: DiffusionRecipe,
    /// Third stage, where there is to be a few-step model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<DistillationRecipe>,
    /// The file it was read from, for messages.
    #[serde(skip)]
    pub(super) file: PathBuf,
}

/// The autoencoder's sizes and training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderRecipe {
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// Resnets of an encoder level.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of every norm.
    pub norm_num_groups: usize,
    /// Side of the random crops it is trained on, in pixels.
    pub crop: usize,
    /// Crops begin at multiples of this many pixels. With the factor by which latents are smaller,
    /// crops lie on the latents' grid as whole pictures do.
    #[serde(default = "anywhere")]
    pub crop_grid: usize,
    /// Weight of the mean squared error beside the mean absolute error.
    pub mse_weight: f64,
    /// Weight of the mean absolute error of differences between neighbouring pixels.
    #[serde(default)]
    pub gradient_weight: f64,
    /// Weight of the Kullback-Leibler divergence from a unit Gaussian.
    pub kl_weight: f64,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
}

/// The grid of crops that may begin at every pixel.
fn anywhere() -> usize {
    1
}

/// The U-Net's and text encoder's sizes and training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusionRecipe {
    /// Number of concepts to learn; 0 for all.
    pub concepts: usize,
    /// Channels of each U-Net level.
    pub block_out_channels: Vec<usize>,
    /// Resnets of a level on the way down.
    pub layers_per_block: usize,
    /// Heads of each level.
    pub num_attention_heads: Vec<usize>,
    /// Groups of every norm.
    pub norm_num_groups: usize,
    /// Channels of the text encoder and of the cross-attention.
    pub text_width: usize,
    /// Layers of the text encoder.
    pub text_layers: usize,
    /// Heads of the text encoder.
    pub text_heads: usize,
    /// Tokens of a prompt, begin and end included.
    pub text_tokens: usize,
    /// Size of the byte-pair vocabulary trained on the captions.
    pub vocabulary: usize,
    /// Probability of an empty caption, for classifier-free guidance.
    pub drop_caption: f64,
    /// Probability of a caption without its style.
    pub drop_style: f64,
    /// Captions that say less than the concept; none by default.
    #[serde(default)]
    pub captions: CaptionsRecipe,
    /// Variants of the pictures; each only as it is by default.
    #[serde(default)]
    pub augment: AugmentRecipe,
    /// γ of the min-SNR loss weighting.
    pub min_snr_gamma: f64,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
    /// Trainings after the first, each from what the one before it ended with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refinement: Vec<RefinementRecipe>,
}

impl Recipe {
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

    /// What the first `rounds` rounds of the distillation follow: later ones do not change them.
    pub(crate) fn first_rounds(&self, recipe: &DistillationRecipe, rounds: usize) -> Self {
        let steps = recipe.steps[..rounds].to_vec();
        let distillation = Some(DistillationRecipe { steps, ..recipe.clone() });
        Self { distillation, ..self.clone() }
    }

    /// The error of asking for a few-step model that the recipe does not describe.
    pub(crate) fn without_distillation(&self) -> TrainError {
        let field = FieldError {
            field: "distillation".into(),
            expected: "a table that says how the few-step model is made".into(),
            found: "none".into(),
        };
        TrainError::Recipe { path: self.file.clone(), fields: vec![field] }
    }
}
