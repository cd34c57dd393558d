//! Which training picture a sampled picture is nearest to, without a scorer.

use autoencoder::AutoencoderKL;
use burn::tensor::{Device, Tensor, TensorData};
use pictures::{Dataset, Example, RgbImage};
use serde::Serialize;

use crate::autoencoder_stage::encode_all;

/// How many sampled pictures lie nearest to a training picture of their own prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// Those whose nearest training picture, by pixels, has the prompt's concept.
    pub concept_by_pixels: usize,
    /// Those whose nearest training picture, by pixels, has the prompt's style.
    pub style_by_pixels: usize,
    /// The same by latents.
    pub concept_by_latents: usize,
    /// The same by latents.
    pub style_by_latents: usize,
}

/// Looks for the nearest picture among all of `train`.
pub(super) fn nearest(
    sampled: &[(&Example, RgbImage)],
    train: &Dataset,
    vae: &AutoencoderKL,
    device: &Device,
) -> Nearest {
    let latents = encode_all(vae, train, device);
    let mut result = Nearest::default();
    for (wanted, picture) in sampled {
        let pixels = picture.to_signed().values;
        let data = TensorData::new(pixels.clone(), [1, 3, train.size, train.size]);
        let mean = vae.encode(Tensor::<4>::from_data(data, device)).mean;
        let latent: Vec<f32> = mean.into_data().iter::<f32>().collect();
        let by_pixels =
            &train.examples[position(&pixels, train.examples.iter().map(|e| &e.pixels))];
        let by_latents = &train.examples[position(&latent, latents.iter())];
        result.concept_by_pixels += usize::from(by_pixels.caption == wanted.caption);
        result.style_by_pixels += usize::from(by_pixels.style == wanted.style);
        result.concept_by_latents += usize::from(by_latents.caption == wanted.caption);
        result.style_by_latents += usize::from(by_latents.style == wanted.style);
    }
    result
}

/// Position of the nearest vector by squared distance.
fn position<'a>(from: &[f32], others: impl Iterator<Item = &'a Vec<f32>>) -> usize {
    others
        .map(|other| squared_distance(from, other))
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(index, _)| index)
}

/// Sum of the squared differences.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}
