use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use clip::CLIPTokenizer;
use serde::Serialize;

use pictures::Dataset;
use pipeline::write_atomically;

use crate::autoencoder_stage::{encode_all, train_autoencoder};
use crate::diffusion_stage::{Latents, train_diffusion};
use crate::{Progress, Recipe, TrainError, concepts, export, vocabulary};

/// How far [`train`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// The autoencoder only.
    Autoencoder,
    /// Everything, and the pipeline folder.
    All,
}

/// What a training run reports; written as `training.json` beside the model.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Concepts the model was trained on.
    pub concepts: Vec<String>,
    /// Pictures the second stage was trained on.
    pub pictures: usize,
    /// Parameters of the U-Net, the autoencoder and the text encoder.
    pub parameters: [usize; 3],
    /// Mean losses of the autoencoder over fiftieths of its training.
    pub autoencoder_loss: Vec<f32>,
    /// Mean losses of the second stage over fiftieths of its training.
    pub diffusion_loss: Vec<f32>,
    /// Peak signal-to-noise ratio of the autoencoder on the validation pictures, in decibels.
    pub autoencoder_psnr: f64,
}

/// Runs the stages, resuming from the checkpoints in `work`, and writes the pipeline to `out`.
///
/// # Errors
/// [`TrainError`], naming the file where there is one.
pub fn train(
    recipe: &Recipe,
    data: &Path,
    work: &Path,
    out: &Path,
    stages: Stages,
    progress: &mut dyn FnMut(&'static str, Progress),
) -> Result<Option<Summary>, TrainError> {
    let device = Device::flex();
    let mut pictures = Dataset::open(data.join("train"))?;
    let validation = Dataset::open(data.join("validation"))?;
    std::fs::create_dir_all(work).map_err(TrainError::io(work))?;
    let (vae, autoencoder_losses) = train_autoencoder(
        recipe,
        &pictures,
        &work.join("autoencoder.safetensors"),
        &device,
        &mut |p| progress("autoencoder", p),
    )?;
    if stages == Stages::Autoencoder {
        return Ok(None);
    }
    let own = &recipe.diffusion;
    // The vocabulary covers all captions, so that more concepts can be learnt later.
    let tokenizer = out.join("tokenizer");
    vocabulary::train(&pictures, own.vocabulary, own.text_tokens, &tokenizer)?;
    let tokenizer = CLIPTokenizer::from_folder(&tokenizer)?;
    let concepts = concepts::choose(&pictures, &validation, own.concepts);
    pictures.retain_concepts(&concepts);
    let factor = vae.config().scaling_factor as f32;
    let mut latents = encode_all(&vae, &pictures, &device);
    latents.iter_mut().flatten().for_each(|value| *value *= factor);
    let side = pictures.size / vae.config().downscale();
    let shape = [vae.config().latent_channels, side, side];
    let latents = Latents::new(&pictures, latents, shape, &tokenizer);
    let (model, diffusion_losses) = train_diffusion(
        recipe,
        &latents,
        tokenizer.vocab_size(),
        &work.join("diffusion.safetensors"),
        &device,
        &mut |p| progress("diffusion", p),
    )?;
    export::export_pipeline(out, own, shape, &vae, &model)?;
    let summary = Summary {
        concepts,
        pictures: pictures.examples.len(),
        parameters: [model.unet.num_params(), vae.num_params(), model.text_encoder.num_params()],
        autoencoder_loss: curve(&autoencoder_losses),
        diffusion_loss: curve(&diffusion_losses),
        autoencoder_psnr: crate::autoencoder_stage::psnr(&vae, &validation, &device),
    };
    let text =
        serde_json::to_vec_pretty(&summary).map_err(|error| TrainError::broken(out, error))?;
    write_atomically(&out.join("training.json"), &text)?;
    Ok(Some(summary))
}

/// Means over fiftieths.
pub(crate) fn curve(losses: &[f32]) -> Vec<f32> {
    let size = losses.len().div_ceil(50).max(1);
    losses.chunks(size).map(|part| part.iter().sum::<f32>() / part.len() as f32).collect()
}
