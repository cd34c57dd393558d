//! The second stage: a text encoder and a U-Net together, on the latents of captioned pictures.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use clip::{CLIPTextConfig, CLIPTextModel, HiddenAct};
use rand::Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde_json::json;
use unet_core::{UNet2DConditionConfig, UNet2DConditionModel};

use crate::checkpoint::CheckpointFile;
use crate::latents::Latents;
use crate::stage::{self, Progress, stream};
use crate::{DiffusionRecipe, Recipe, TrainError};

/// What is trained together in the second stage.
#[derive(Module, Debug)]
pub(crate) struct TextToLatent {
    /// The denoiser.
    pub unet: UNet2DConditionModel,
    /// The text encoder.
    pub text_encoder: CLIPTextModel,
}

/// Training steps of the noise schedule.
pub(crate) const NUM_TRAIN_TIMESTEPS: usize = 1000;
/// First β of the scaled-linear schedule.
pub(crate) const BETA_START: f64 = 0.00085;
/// Last β of the scaled-linear schedule.
pub(crate) const BETA_END: f64 = 0.012;

/// Trains U-Net and text encoder to predict the velocity of noised latents, from `start` where there
/// is one, resuming from `checkpoint` where it exists; returns the averaged weights and the loss of
/// every step.
///
/// # Errors
/// As [`stage::run`].
pub(crate) fn train_diffusion(
    recipe: &Recipe,
    data: &Latents,
    start: Option<TextToLatent>,
    checkpoint: &CheckpointFile,
    device: &Device,
    progress: &mut dyn FnMut(Progress),
) -> Result<(TextToLatent, Vec<f32>), TrainError> {
    let training = stage::recording(device);
    let vocab_size = data.tokenizer.vocab_size();
    let model = match start {
        Some(model) => stage::recorded(model, &training),
        None => stage::initialize(recipe.seed.wrapping_add(1), &training, |device| {
            Ok::<_, TrainError>(TextToLatent {
                unet: unet_config(&recipe.diffusion, data.shape)?.init(device),
                text_encoder: text_config(&recipe.diffusion, vocab_size).init(device),
            })
        })?,
    };
    let alphas = alphas_cumprod();
    let (model, losses) = stage::run(
        model,
        &recipe.diffusion.optimizer,
        checkpoint,
        progress,
        |model, step, samples| loss(model, recipe, data, &alphas, step, samples, &training),
    )?;
    Ok((model.valid(), losses))
}

/// The text encoder's configuration.
pub(crate) fn text_config(recipe: &DiffusionRecipe, vocab_size: usize) -> CLIPTextConfig {
    CLIPTextConfig {
        vocab_size,
        hidden_size: recipe.text_width,
        intermediate_size: 4 * recipe.text_width,
        num_hidden_layers: recipe.text_layers,
        num_attention_heads: recipe.text_heads,
        max_position_embeddings: recipe.text_tokens,
        hidden_act: HiddenAct::Gelu,
        projection_dim: recipe.text_width,
        eos_token_id: vocab_size - 1,
        ..CLIPTextConfig::default()
    }
}

/// The U-Net's configuration as diffusers writes it.
pub(crate) fn unet_json(recipe: &DiffusionRecipe, latents: [usize; 3]) -> serde_json::Value {
    json!({
        "_class_name": "UNet2DConditionModel",
        "act_fn": "silu",
        "attention_head_dim": recipe.num_attention_heads,
        "block_out_channels": recipe.block_out_channels,
        "cross_attention_dim": recipe.text_width,
        "down_block_types":
            ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "in_channels": latents[0],
        "layers_per_block": recipe.layers_per_block,
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "norm_eps": 1e-5,
        "norm_num_groups": recipe.norm_num_groups,
        "out_channels": latents[0],
        "sample_size": latents[1],
        "up_block_types":
            ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "use_linear_projection": true,
    })
}

/// The U-Net's configuration.
///
/// # Errors
/// [`TrainError::UNet`] where there is no such U-Net.
pub(crate) fn unet_config(
    recipe: &DiffusionRecipe,
    latents: [usize; 3],
) -> Result<UNet2DConditionConfig, TrainError> {
    Ok(UNet2DConditionConfig::from_json(
        &unet_json(recipe, latents).to_string(),
        "the recipe's U-Net",
    )?)
}

/// Cumulative products ᾱ of 1 − β, one for each training step.
pub(crate) fn alphas_cumprod() -> Vec<f64> {
    let last = (NUM_TRAIN_TIMESTEPS - 1) as f64;
    let mut product = 1.0;
    (0..NUM_TRAIN_TIMESTEPS)
        .map(|t| {
            let root = BETA_START.sqrt() + (BETA_END.sqrt() - BETA_START.sqrt()) * t as f64 / last;
            product *= 1.0 - root * root;
            product
        })
        .collect()
}

/// The square of every value; the values themselves stay, where a graph may need them.
pub(crate) fn squared(values: Tensor<4>) -> Tensor<4> {
    values.clone() * values
}

/// One sample of a batch.
struct Drawn {
    /// Noised latents.
    noised: Vec<f32>,
    /// The velocity in them.
    target: Vec<f32>,
    ids: Vec<u32>,
    timestep: f64,
    /// Share of the batch's loss.
    weight: f32,
}

/// The part of the batch's weighted mean loss that `samples` contribute.
fn loss(
    model: &TextToLatent,
    recipe: &Recipe,
    data: &Latents,
    alphas: &[f64],
    step: usize,
    samples: Range<usize>,
    device: &Device,
) -> Tensor<1> {
    let min_snr_gamma = recipe.diffusion.min_snr_gamma;
    let batch = recipe.diffusion.optimizer.batch;
    let count = samples.len();
    let [channels, height, width] = data.shape;
    let values = channels * height * width;
    let draw = |sample: usize| {
        let mut rng = stream(recipe.seed ^ 0x5eed, step, sample);
        let (index, latents) = data.draw(&mut rng);
        // Stratified over the batch, which makes the loss far less noisy.
        let u = (sample as f64 + rng.random::<f64>()) / batch as f64;
        let t = ((u * NUM_TRAIN_TIMESTEPS as f64) as usize).min(NUM_TRAIN_TIMESTEPS - 1);
        let (signal, sigma) = (alphas[t].sqrt() as f32, (1.0 - alphas[t]).sqrt() as f32);
        let (mut noised, mut target) = (Vec::with_capacity(values), Vec::with_capacity(values));
        for x0 in latents {
            let noise: f32 = rng.sample(StandardNormal);
            noised.push(signal * x0 + sigma * noise);
            target.push(signal * noise - sigma * x0);
        }
        let ids = data.tokenizer.encode(&data.captions.draw(index, &mut rng));
        let snr = alphas[t] / (1.0 - alphas[t]);
        let weight = (snr.min(min_snr_gamma) / (snr + 1.0) / batch as f64) as f32;
        Drawn { noised, target, ids, timestep: t as f64, weight }
    };
    // A GPU has the whole batch in one part, and would wait for one thread to draw it.
    let drawn: Vec<Drawn> = samples.into_par_iter().map(draw).collect();
    let rows = |of: fn(&Drawn) -> &[f32]| drawn.iter().map(of).collect::<Vec<_>>().concat();
    let (noised, target) = (rows(|drawn| &drawn.noised), rows(|drawn| &drawn.target));
    let timesteps: Vec<f64> = drawn.iter().map(|drawn| drawn.timestep).collect();
    let weights: Vec<f32> = drawn.iter().map(|drawn| drawn.weight).collect();
    let ids: Vec<Vec<u32>> = drawn.into_iter().map(|drawn| drawn.ids).collect();
    let shape = [count, channels, height, width];
    let tensor = |values| Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let context = model.text_encoder.forward(&ids).last_hidden_state;
    let predicted = model.unet.forward(tensor(noised), &timesteps, context, None, None);
    let errors: Tensor<2> =
        squared(predicted - tensor(target)).reshape([count as i32, -1]).mean_dim(1);
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [count, 1]), device);
    (errors * weights).sum()
}
