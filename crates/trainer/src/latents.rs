//! The encoded pictures and captions that a U-Net learns from.

use autoencoder::AutoencoderKL;
use burn::tensor::Device;
use clip::CLIPTokenizer;
use pictures::Dataset;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::augment::variant;
use crate::autoencoder_stage::encode_all;
use crate::captions::Captions;
use crate::recipe::AugmentRecipe;

/// The scaled latents of every variant of every picture, and the pictures' captions.
pub(crate) struct Latents {
    /// All pictures of variant 0, then all of variant 1, and so on.
    values: Vec<Vec<f32>>,
    variants: usize,
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    pub(crate) captions: Captions,
    pub(crate) tokenizer: CLIPTokenizer,
}

impl Latents {
    /// Encodes the variants of `data` that `recipe` asks for, drawn by `seed`.
    pub(crate) fn encode(
        vae: &AutoencoderKL,
        data: &Dataset,
        (recipe, seed): (&AugmentRecipe, u64),
        captions: Captions,
        tokenizer: CLIPTokenizer,
        device: &Device,
    ) -> Self {
        let config = vae.config();
        let grid = config.downscale();
        let factor = config.scaling_factor as f32;
        let mut values: Vec<Vec<f32>> = (0..recipe.variants)
            .flat_map(|number| encode_all(vae, &variant(data, recipe, grid, seed, number), device))
            .collect();
        values.iter_mut().flatten().for_each(|value| *value *= factor);
        let side = data.size / grid;
        let shape = [config.latent_channels, side, side];
        Self { values, variants: recipe.variants, shape, captions, tokenizer }
    }

    /// A picture's number, and the latents of one of its variants.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> (usize, &[f32]) {
        let count = self.captions.len();
        let index = rng.random_range(0..count);
        let variant = if self.variants > 1 { rng.random_range(0..self.variants) } else { 0 };
        (index, &self.values[variant * count + index])
    }
}
