//! The first stage: an autoencoder, trained on random crops.

use std::ops::Range;

use autoencoder::{AutoencoderKL, AutoencoderKLConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand_distr::StandardNormal;

use pictures::Dataset;

use crate::autoencoder_loss::reconstruction;
use crate::checkpoint::CheckpointFile;
use crate::pixels::pixels;
use crate::stage::{self, Progress, stream};
use crate::{AutoencoderRecipe, Recipe, TrainError};

/// Trains the autoencoder on random crops, resuming from `checkpoint` where it exists.
///
/// Returns the model with averaged weights on `device`, its `scaling_factor` set so that latents
/// have unit variance, and the loss of every step.
///
/// # Errors
/// As [`stage::run`].
pub(crate) fn train_autoencoder(
    recipe: &Recipe,
    data: &Dataset,
    checkpoint: &CheckpointFile,
    device: &Device,
    progress: &mut dyn FnMut(Progress),
) -> Result<(AutoencoderKL, Vec<f32>), TrainError> {
    let training = device.clone().autodiff();
    let model = stage::initialize(recipe.seed, &training, |device| {
        Ok::<_, TrainError>(config(&recipe.autoencoder).init(device))
    })?;
    let (model, losses) = stage::run(
        model,
        &recipe.autoencoder.optimizer,
        checkpoint,
        progress,
        |model, step, samples| loss(model, recipe, data, step, samples, &training),
    )?;
    let model = burn::module::Module::valid(&model);
    let factor = 1.0 / latent_deviation(&model, data, device);
    Ok((model.with_scaling_factor(factor), losses))
}

/// The autoencoder's configuration, but for its `scaling_factor`.
pub(crate) fn config(recipe: &AutoencoderRecipe) -> AutoencoderKLConfig {
    AutoencoderKLConfig {
        block_out_channels: recipe.block_out_channels.clone(),
        layers_per_block: recipe.layers_per_block,
        latent_channels: recipe.latent_channels,
        norm_num_groups: recipe.norm_num_groups,
        force_upcast: false,
        ..AutoencoderKLConfig::default()
    }
}

/// The part of the batch's mean loss that `samples` contribute.
fn loss(
    model: &AutoencoderKL,
    recipe: &Recipe,
    data: &Dataset,
    step: usize,
    samples: Range<usize>,
    device: &Device,
) -> Tensor<1> {
    let AutoencoderRecipe { crop, crop_grid, latent_channels, kl_weight, .. } = recipe.autoencoder;
    let count = samples.len();
    let side = crop >> (recipe.autoencoder.block_out_channels.len() - 1);
    let mut pixels: Vec<f32> = Vec::with_capacity(count * 3 * crop * crop);
    let mut noise: Vec<f32> = Vec::with_capacity(count * latent_channels * side * side);
    for sample in samples {
        let mut rng = stream(recipe.seed, step, sample);
        let example = &data.examples[rng.random_range(0..data.examples.len())];
        let places = (data.size - crop) / crop_grid;
        let [top, left] = [(); 2].map(|()| crop_grid * rng.random_range(0..=places));
        let mirrored = rng.random::<bool>();
        for channel in 0..3 {
            for y in top..top + crop {
                let row =
                    &example.pixels[(channel * data.size + y) * data.size..][left..left + crop];
                if mirrored {
                    pixels.extend(row.iter().rev());
                } else {
                    pixels.extend(row);
                }
            }
        }
        noise.extend(
            (0..latent_channels * side * side).map(|_| rng.sample::<f32, _>(StandardNormal)),
        );
    }
    let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [count, 3, crop, crop]), device);
    let noise = Tensor::<4>::from_data(
        TensorData::new(noise, [count, latent_channels, side, side]),
        device,
    );
    let posterior = model.encode(pixels.clone());
    let (mean, logvar) = (posterior.mean, posterior.logvar);
    let latents = mean.clone() + (logvar.clone() * 0.5).exp() * noise;
    let error = model.decode(latents) - pixels;
    let kl = (mean.square() + logvar.clone().exp() - logvar - 1.0).mean() * 0.5;
    let share = count as f64 / recipe.autoencoder.optimizer.batch as f64;
    (reconstruction(error, &recipe.autoencoder) + kl * kl_weight) * share
}

/// Standard deviation of the latents of whole pictures.
fn latent_deviation(model: &AutoencoderKL, data: &Dataset, device: &Device) -> f64 {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for latents in encode_all(model, data, device) {
        for value in latents {
            sum += f64::from(value);
            squares += f64::from(value).powi(2);
            count += 1.0;
        }
    }
    (squares / count - (sum / count).powi(2)).sqrt()
}

/// Pictures that are encoded together.
const PICTURES_AT_ONCE: usize = 128;

/// The mean latents of every picture, unscaled.
pub(crate) fn encode_all(model: &AutoencoderKL, data: &Dataset, device: &Device) -> Vec<Vec<f32>> {
    let mut latents = Vec::with_capacity(data.examples.len());
    for chunk in data.examples.chunks(PICTURES_AT_ONCE) {
        let mean = model.encode(pixels(chunk, data.size, device)).mean;
        let values: Vec<f32> = mean.into_data().iter::<f32>().collect();
        latents.extend(values.chunks(values.len() / chunk.len()).map(<[f32]>::to_vec));
    }
    latents
}

/// Mean over pictures of the peak signal-to-noise ratio after encoding and decoding, in decibels.
pub(crate) fn psnr(model: &AutoencoderKL, data: &Dataset, device: &Device) -> f64 {
    let mut total = 0.0;
    for example in &data.examples {
        let picture = pixels(&[example], data.size, device);
        let decoded = model.decode(model.encode(picture.clone()).mean).clamp(-1.0, 1.0);
        let error = f64::from((decoded - picture).square().mean().into_scalar::<f32>());
        // Values span 2.
        total += 10.0 * (4.0 / error).log10();
    }
    total / data.examples.len() as f64
}
