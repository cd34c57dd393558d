//! Weights, LoRA files and latents.

use std::path::Path;

use burn::tensor::Device;
use lora::{LoraChoice, LoraFile, Part, PartKind};
use pipeline::read_latents;
use safetensors::tensor::{Dtype, TensorView, serialize};
use weights::{KeyMap, Outline, WeightsFile};

use super::{accepted, alone, files, pickles};
use crate::target::{Form, Target, Verdict};

/// Readers of weights.
pub fn targets() -> Vec<Target> {
    vec![
        alone("safetensors", "a.safetensors", Form::Safetensors, plain, weights),
        Target {
            beside: |folder| {
                plain()?.iter().try_for_each(|file| std::fs::write(folder.join(SHARD), file))?;
                Ok(())
            },
            ..alone("shards", "a.safetensors.index.json", Form::Json, shards, weights)
        },
        alone("checkpoint-zip", "a.pt", Form::Zip, zipped, weights),
        alone("checkpoint-legacy", "a.pth", Form::Bytes, legacy, weights),
        alone("lora", "a.safetensors", Form::Safetensors, loras, lora),
        alone("latents", "a.safetensors", Form::Safetensors, latents, |path| {
            let shape = [1, 4, 2, 2];
            match read_latents(path, "latents", shape, &Device::flex()) {
                Ok(read) => Verdict::holds(read.dims() == shape, || format!("{:?}", read.dims())),
                Err(_) => Verdict::Refused,
            }
        }),
    ]
}

/// A safetensors file of f32 tensors of these shapes, with `metadata`.
fn tensors(shapes: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let values: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = (0..count).flat_map(|i| (i as f32 / 8.0).to_le_bytes()).collect();
            (name.to_string(), shape.to_vec(), bytes)
        })
        .collect();
    let views: Vec<(&str, TensorView<'_>)> = values
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<anyhow::Result<_>>()?;
    let metadata = metadata.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    Ok(serialize(views, Some(metadata.collect()))?)
}

fn plain() -> anyhow::Result<Vec<Vec<u8>>> {
    let shapes: [(&str, &[usize]); 3] = [("a.weight", &[2, 3]), ("a.bias", &[2]), ("b", &[])];
    Ok(vec![tensors(&shapes, &[("format", "pt")])?])
}

/// The shard that the index names.
const SHARD: &str = "a-1.safetensors";

fn shards() -> anyhow::Result<Vec<Vec<u8>>> {
    let index = r#"{"metadata": {"total_size": 36},
        "weight_map": {"a.weight": "a-1.safetensors", "a.bias": "a-1.safetensors"}}"#;
    Ok(vec![index.into()])
}

fn zipped() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = files(&["crates/metrics/tests/data/clip_visual_only.pt"])?;
    seeds.extend([pickles::zipped()?, pickles::zipped()?]);
    Ok(seeds)
}

fn legacy() -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(vec![pickles::legacy()])
}

fn latents() -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(vec![tensors(&[("latents", &[1, 4, 2, 2]), ("noise", &[1, 4, 2, 2])], &[])?])
}

/// Files in the names of kohya, of diffusers, and of PEFT, with a convolution among them.
fn loras() -> anyhow::Result<Vec<Vec<u8>>> {
    let kohya = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
    let names =
        ["lora_down.weight", "lora_up.weight", "alpha"].map(|part| format!("{kohya}.{part}"));
    let shapes: [&[usize]; 3] = [&[2, 8], &[8, 2], &[]];
    let first: Vec<(&str, &[usize])> = names.iter().map(String::as_str).zip(shapes).collect();
    let peft = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    let conv = "unet.mid_block.resnets.0.conv1";
    let [a, b] = ["lora_A.weight", "lora_B.weight"].map(|part| format!("{peft}.{part}"));
    let [c, d] = ["lora_A.weight", "lora_B.weight"].map(|part| format!("{conv}.{part}"));
    let second: [(&str, &[usize]); 4] =
        [(&a, &[2, 8]), (&b, &[8, 2]), (&c, &[2, 8, 3, 3]), (&d, &[8, 2, 1, 1])];
    let config = r#"{"r": 2, "lora_alpha": 4, "rank_pattern": {}, "alpha_pattern": {}}"#;
    Ok(vec![
        tensors(&first, &[("ss_network_alpha", "2")])?,
        tensors(&second, &[("lora_adapter_metadata", config)])?,
    ])
}

/// All values of what is accepted can be read, as many as its shapes say.
fn weights(path: &Path) -> Verdict {
    let Ok(file) = WeightsFile::open(path) else { return Verdict::Refused };
    for (name, tensor) in file.tensors() {
        let count: usize = tensor.shape().iter().product();
        match tensor.to_f32() {
            Ok(Some(values)) if values.len() != count => {
                let (shape, found) = (tensor.shape(), values.len());
                return Verdict::Broken(format!("`{name}` of {shape:?} has {found} values"));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Verdict::Accepted
}

/// What is accepted fits a model, or is refused for it.
fn lora(path: &Path) -> Verdict {
    let Ok(file) = LoraFile::open(path) else { return Verdict::Refused };
    let outline = |name: &str, shape: &[usize]| Outline { name: name.into(), shape: shape.into() };
    let part = Part {
        kind: PartKind::UNet,
        weights: vec![
            outline("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", &[8, 8]),
            outline("mid_block.resnets.0.conv1.weight", &[8, 8, 3, 3]),
        ],
        ldm: KeyMap::default(),
    };
    let choice = LoraChoice { path: path.into(), strength: 1.0, blocks: Vec::new() };
    accepted(file.fit(&choice, &[part]))
}
