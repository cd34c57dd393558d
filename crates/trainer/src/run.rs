//! The training of the text-to-image model from pictures to a pipeline folder.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use clip::CLIPTokenizer;
use pictures::Dataset;
use serde_json::json;

use crate::autoencoder_stage::{encode_all, psnr, train_autoencoder};
use crate::checkpoint::CheckpointFile;
use crate::diffusion_stage::{Latents, train_diffusion};
use crate::export::export_pipeline;
use crate::origin::Origin;
use crate::summary::curve;
use crate::vocabulary::Vocabulary;
use crate::{DiffusionRecipe, Progress, Recipe, Summary, TrainError, concepts};

/// How far [`train`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// The autoencoder only.
    Autoencoder,
    /// Everything, and the pipeline folder.
    All,
}

/// Runs the stages, resuming from the checkpoints in `work`, and writes the pipeline to `out`.
///
/// `data` holds `train/` and `validation/`, each with pictures and a `metadata.jsonl`. Nothing is
/// written before every checkpoint in `work` is known to be of this recipe and these pictures.
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
    if validation.size != pictures.size {
        let (train, validation) = (pictures.size, validation.size);
        let reason = format!(
            "expected pictures of one size, found {train} pixels in `train` and {validation} in `validation`"
        );
        return Err(TrainError::broken(data, reason));
    }
    recipe.fits(pictures.size)?;
    let origin = Origin::new(
        &json!({ "seed": recipe.seed, "autoencoder": recipe.autoencoder }),
        &[&pictures],
    );
    let first = CheckpointFile::new(work.join("autoencoder.safetensors"), origin);
    // Validation decides which concepts are learnt.
    let origin = Origin::new(recipe, &[&pictures, &validation]);
    let second = CheckpointFile::new(work.join("diffusion.safetensors"), origin);
    first.check()?;
    if stages == Stages::All {
        second.check()?;
    }
    let (vae, autoencoder_losses) =
        train_autoencoder(recipe, &pictures, &first, &device, &mut |p| progress("autoencoder", p))?;
    if stages == Stages::Autoencoder {
        return Ok(None);
    }
    let DiffusionRecipe { vocabulary, text_tokens, .. } = recipe.diffusion;
    // The vocabulary covers all captions, so that more concepts can be learnt later.
    let vocabulary = Vocabulary::learn(&pictures, vocabulary, text_tokens, data)?;
    let folder = work.join("tokenizer");
    vocabulary.write(&folder)?;
    let tokenizer = CLIPTokenizer::from_folder(&folder)?;
    let concepts = concepts::choose(&pictures, &validation, recipe.diffusion.concepts);
    pictures.retain_concepts(&concepts);
    let factor = vae.config().scaling_factor as f32;
    let mut latents = encode_all(&vae, &pictures, &device);
    latents.iter_mut().flatten().for_each(|value| *value *= factor);
    let side = pictures.size / vae.config().downscale();
    let shape = [vae.config().latent_channels, side, side];
    let latents = Latents::new(&pictures, latents, shape, &tokenizer);
    let (model, diffusion_losses) =
        train_diffusion(recipe, &latents, tokenizer.vocab_size(), &second, &device, &mut |p| {
            progress("diffusion", p)
        })?;
    export_pipeline(out, &recipe.diffusion, shape, &vocabulary, &vae, &model)?;
    let summary = Summary {
        concepts,
        pictures: pictures.examples.len(),
        parameters: [model.unet.num_params(), vae.num_params(), model.text_encoder.num_params()],
        autoencoder_loss: curve(&autoencoder_losses),
        diffusion_loss: curve(&diffusion_losses),
        autoencoder_psnr: psnr(&vae, &validation, &device),
    };
    summary.write(out)?;
    Ok(Some(summary))
}
