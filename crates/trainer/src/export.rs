//! Writes the trained model as a diffusers pipeline folder.

use std::path::Path;

use autoencoder::AutoencoderKL;
use serde_json::json;
use weights::{StoredDtype, save};

use crate::diffusion_stage::{
    BETA_END, BETA_START, NUM_TRAIN_TIMESTEPS, TextToLatent, text_config, unet_json,
};
use crate::json_file::write_json;
use crate::vocabulary::Vocabulary;
use crate::{DiffusionRecipe, TrainError};

/// Writes a complete diffusers pipeline folder with f16 weights; a few-step model's index recommends
/// its inference steps and guidance scale.
///
/// # Errors
/// [`TrainError`]: unwritable files, or weights beyond the range of f16.
pub(crate) fn export_pipeline(
    folder: &Path,
    recipe: &DiffusionRecipe,
    latents: [usize; 3],
    vocabulary: &Vocabulary,
    vae: &AutoencoderKL,
    model: &TextToLatent,
    recommended: Option<(usize, f64)>,
) -> Result<(), TrainError> {
    let vocab_size = model.text_encoder.config().vocab_size;
    let mut text = serde_json::to_value(text_config(recipe, vocab_size))
        .map_err(|error| TrainError::broken(folder, error))?;
    text["model_type"] = json!("clip_text_model");
    text["bos_token_id"] = json!(vocab_size - 2);
    text["pad_token_id"] = json!(vocab_size - 1);
    text["torch_dtype"] = json!("float16");
    let scheduler = json!({
        "_class_name": "DDIMScheduler",
        "beta_end": BETA_END,
        "beta_schedule": "scaled_linear",
        "beta_start": BETA_START,
        "clip_sample": false,
        "num_train_timesteps": NUM_TRAIN_TIMESTEPS,
        "prediction_type": "v_prediction",
        "set_alpha_to_one": false,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
    });
    let mut index = json!({
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [null, null],
        "requires_safety_checker": false,
        "safety_checker": [null, null],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    if let Some((steps, guidance_scale)) = recommended {
        index["_recommended"] =
            json!({ "num_inference_steps": steps, "guidance_scale": guidance_scale });
    }
    vocabulary.write(&folder.join("tokenizer"))?;
    let files = [
        ("model_index.json", index),
        ("scheduler/scheduler_config.json", scheduler),
        ("text_encoder/config.json", text),
        ("unet/config.json", unet_json(recipe, latents)),
        ("vae/config.json", vae.config().to_json()),
    ];
    for (name, value) in files {
        write_json(&folder.join(name), &value)?;
    }
    let weights = "diffusion_pytorch_model.safetensors";
    save(&model.unet, &folder.join("unet").join(weights), StoredDtype::F16)?;
    save(vae, &folder.join("vae").join(weights), StoredDtype::F16)?;
    save(&model.text_encoder, &folder.join("text_encoder/model.safetensors"), StoredDtype::F16)?;
    Ok(())
}
