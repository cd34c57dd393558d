use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Everything that determines a trained model besides the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of the initial weights and of every random choice.
    pub seed: u64,
    /// First stage.
    pub autoencoder: AutoencoderRecipe,
    /// Second stage.
    pub diffusion: DiffusionRecipe,
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
    /// Weight of the mean squared error beside the mean absolute error.
    pub mse_weight: f64,
    /// Weight of the Kullback-Leibler divergence from a unit Gaussian.
    pub kl_weight: f64,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
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
    /// γ of the min-SNR loss weighting.
    pub min_snr_gamma: f64,
    /// Optimiser.
    pub optimizer: OptimizerRecipe,
}

/// AdamW, its schedule, and how often things are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerRecipe {
    /// Steps in all.
    pub steps: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up; a cosine to 0 follows.
    pub warmup: usize,
    /// Adam's β₁ and β₂.
    pub betas: [f64; 2],
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub gradient_clip: f64,
    /// Decay of the moving average.
    pub ema: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
}

impl OptimizerRecipe {
    /// The learning rate at `step`.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.learning_rate * (step + 1) as f64 / self.warmup as f64;
        }
        let rest = (self.steps - self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / rest).min(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// The moving average's decay at `step`: short-sighted at first, so that the random initial
    /// weights are forgotten.
    pub fn ema_at(&self, step: usize) -> f64 {
        self.ema.min((1.0 + step as f64) / (10.0 + step as f64))
    }
}

impl Recipe {
    /// Reads a recipe in TOML.
    ///
    /// # Errors
    /// [`TrainError`] naming the file and what is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        toml::from_str(&text).map_err(|error| TrainError::broken(path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_warms_up_and_falls_to_zero() {
        let recipe = OptimizerRecipe {
            steps: 100,
            batch: 1,
            learning_rate: 1.0,
            warmup: 10,
            betas: [0.9, 0.99],
            weight_decay: 0.0,
            gradient_clip: 1.0,
            ema: 0.999,
            checkpoint_every: 10,
        };
        assert_eq!(recipe.learning_rate_at(0), 0.1);
        assert_eq!(recipe.learning_rate_at(10), 1.0);
        assert!(recipe.learning_rate_at(99) < 1e-3);
        assert!(recipe.ema_at(0) < 0.2 && recipe.ema_at(100_000) == 0.999);
    }
}
