//! Pipeline folders with random weights: the files, names, shapes and types of a real model, for
//! measuring speed and memory, and for tests, where the real one cannot be had.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use clip::CLIPTokenizer;
use files::write_atomically;
use hub::Manifest;
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use weights::{outline, write_random};

use crate::{PipelineConfigs, PipelineError};

/// Writes a diffusers pipeline folder with the configurations of `preset` and random weights of
/// type `dtype` (F16, BF16 or F32), the same for the same seed.
///
/// # Errors
/// [`PipelineError`] naming the file that cannot be written, or the broken configuration.
pub fn write_synthetic(
    preset: &Manifest,
    folder: &Path,
    dtype: Dtype,
    seed: u64,
) -> Result<(), PipelineError> {
    let configs = PipelineConfigs::of_preset(preset)?;
    let device = Device::flex();
    let suffix = if dtype == Dtype::F16 { ".fp16" } else { "" };
    let diffusers = format!("diffusion_pytorch_model{suffix}.safetensors");
    let transformers = format!("model{suffix}.safetensors");
    let mut unet = outline(&configs.unet.init(&device));
    for tensor in &mut unet {
        if configs.unet.is_stored_as_convolution(&tensor.name) {
            tensor.shape.extend([1, 1]);
        }
    }
    write_random(&folder.join("unet").join(&diffusers), &unet, dtype, seed)?;
    weights(&configs.vae.init(&device), &folder.join("vae").join(&diffusers), dtype, seed)?;
    for (config, part) in configs.text.iter().zip(["text_encoder", "text_encoder_2"]) {
        weights(&config.init(&device), &folder.join(part).join(&transformers), dtype, seed)?;
    }
    let facts = configs.facts.as_ref();
    let pads = facts.map(|facts| facts.pad_tokens.clone()).unwrap_or_default();
    let mut index = Map::new();
    for (pad, part) in pads.iter().zip(["tokenizer", "tokenizer_2"]) {
        index.insert(part.into(), json!(["transformers", "CLIPTokenizer"]));
        for (name, text) in CLIPTokenizer::openai_files(pad)? {
            write_atomically(folder.join(part).join(name), text)?;
        }
    }
    for (part, config) in &preset.config {
        let name = if part == "scheduler" { "scheduler_config.json" } else { "config.json" };
        let text = serde_json::to_vec_pretty(config).unwrap_or_default();
        write_atomically(folder.join(part).join(name), text)?;
        let library = if part.starts_with("text") { "transformers" } else { "diffusers" };
        let class = config["_class_name"].as_str().or(config["architectures"][0].as_str());
        index.insert(part.clone(), json!([library, class]));
    }
    if let Some(facts) = facts {
        index.insert("_class_name".into(), json!(facts.class));
        let zeros = facts.force_zeros_for_empty_prompt;
        index.insert("force_zeros_for_empty_prompt".into(), json!(zeros));
    }
    let text = serde_json::to_vec_pretty(&index).unwrap_or_default();
    Ok(write_atomically(folder.join("model_index.json"), text)?)
}

fn weights<M: Module>(
    module: &M,
    path: &Path,
    dtype: Dtype,
    seed: u64,
) -> Result<(), PipelineError> {
    Ok(write_random(path, &outline(module), dtype, seed)?)
}

/// The preset with the same blocks, but a few channels each: a pipeline that runs in milliseconds.
pub fn tiny(preset: &Manifest) -> Manifest {
    const CHANNELS: [usize; 4] = [32, 32, 64, 64];
    const TEXT: usize = 32;
    let mut tiny = preset.clone();
    let texts = if tiny.config.contains_key("text_encoder_2") { 2 } else { 1 };
    let levels = if texts == 2 { 3 } else { 4 };
    // SD 1.x has the same number at every level.
    let heads = match tiny.config.get("unet").and_then(|unet| unet.get("attention_head_dim")) {
        Some(same @ Value::Number(_)) => same.clone(),
        _ => json!([1, 2, 2, 4][..levels]),
    };
    let mut set = |part: &str, values: &[(&str, Value)]| {
        if let Some(Value::Object(config)) = tiny.config.get_mut(part) {
            for (key, value) in values {
                if config.contains_key(*key) {
                    config.insert((*key).into(), value.clone());
                }
            }
        }
    };
    set(
        "unet",
        &[
            ("block_out_channels", json!(CHANNELS[..levels])),
            ("attention_head_dim", heads),
            ("cross_attention_dim", json!(TEXT * texts)),
            ("transformer_layers_per_block", json!([1, 1, 2])),
            ("addition_time_embed_dim", json!(8)),
            ("projection_class_embeddings_input_dim", json!(6 * 8 + TEXT)),
            ("sample_size", json!(8)),
        ],
    );
    set("vae", &[("block_out_channels", json!([32, 32, 32, 32])), ("sample_size", json!(64))]);
    for part in ["text_encoder", "text_encoder_2"] {
        set(
            part,
            &[
                ("hidden_size", json!(TEXT)),
                ("intermediate_size", json!(2 * TEXT)),
                ("num_attention_heads", json!(2)),
                ("num_hidden_layers", json!(2)),
                ("projection_dim", json!(TEXT)),
            ],
        );
    }
    if let Some(facts) = &mut tiny.pipeline {
        facts.size = 64;
    }
    tiny.name = format!("{}-tiny", tiny.name);
    tiny
}
