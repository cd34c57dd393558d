//! Times of networks at their real sizes, on random weights.

use anyhow::Context;
use autoencoder::AutoencoderKLConfig;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, FloatDType, Tensor};
use clip::CLIPTextConfig;
use serde_json::Value;
use unet_core::{AddedConditioning, UNet2DConditionConfig};
use weights::cast;
use workloads::normal;

use crate::agreement::{bound, error};
use crate::row::{Row, timed};

/// Sides of the latents and samples of a call.
pub const CELLS: &[(usize, usize)] =
    &[(64, 1), (64, 2), (64, 8), (64, 32), (128, 1), (128, 2), (128, 8)];

/// Waits for a result.
pub fn wait<const D: usize>(result: Tensor<D>) -> anyhow::Result<()> {
    // One number is read: the whole result would be carried over the bus.
    let value = result.flatten::<1>(0, D as i32 - 1).narrow(0, 0, 1);
    std::hint::black_box(value.into_data());
    Ok(())
}

/// The name of a cell.
pub fn cell(side: usize, batch: usize) -> String {
    format!("{side}x{side}, batch {batch}")
}

/// A part's configuration in a preset.
pub fn config(preset: &str, part: &str) -> anyhow::Result<String> {
    let config: Option<&Value> = hub::preset(preset)?.config.get(part);
    Ok(config.with_context(|| format!("`{preset}` has no `{part}`"))?.to_string())
}

/// The module in another type, drawn and cast parameter by parameter.
fn typed<M: Module>(module: M, dtype: FloatDType) -> M {
    if dtype == FloatDType::F32 { module } else { cast(module, dtype) }
}

/// A U-Net's forward passes.
pub fn unet(
    preset: &str,
    device: &Device,
    dtype: FloatDType,
    cells: &[(usize, usize)],
) -> anyhow::Result<()> {
    let config = UNet2DConditionConfig::from_json(&config(preset, "unet")?, preset)?;
    let model = typed(config.init(device), dtype);
    for (side, batch) in cells {
        let sample = normal::<4>([*batch, 4, *side, *side], device).cast(dtype);
        let context = normal::<3>([*batch, 77, config.cross_attention_dim], device).cast(dtype);
        let added = config.addition_embed.map(|embed| {
            let width = embed.input_dim - 6 * embed.time_embed_dim;
            AddedConditioning {
                text_embeds: normal::<2>([*batch, width], device).cast(dtype),
                time_ids: vec![[1024.0, 1024.0, 0.0, 0.0, 1024.0, 1024.0]; *batch],
            }
        });
        let row = timed(cell(*side, *batch), device, || {
            let (sample, context) = (sample.clone(), context.clone());
            wait(model.forward(sample, &[500.0], context, added.as_ref(), None))
        })?;
        row.print()?;
    }
    Ok(())
}

/// Decoding of one picture.
pub fn vae(device: &Device, dtype: FloatDType) -> anyhow::Result<()> {
    let config = AutoencoderKLConfig::from_json(&config("sd-2.1", "vae")?, "sd-2.1")?;
    let model = typed(config.init(device), dtype);
    for side in [64, 128] {
        let latents = normal::<4>([1, 4, side, side], device).cast(dtype);
        timed(cell(side, 1), device, || wait(model.decode(latents.clone())))?.print()?;
    }
    Ok(())
}

/// Encoding of prompts.
pub fn text(device: &Device, dtype: FloatDType) -> anyhow::Result<()> {
    let config = CLIPTextConfig::from_json(&config("sd-2.1", "text_encoder")?, "sd-2.1")?;
    let model = typed(config.init(device), dtype);
    for batch in [1, 8] {
        let ids = vec![(0..77).collect::<Vec<u32>>(); batch];
        let run = || wait(model.forward(&ids).last_hidden_state);
        timed(format!("77 tokens, batch {batch}"), device, run)?.print()?;
    }
    Ok(())
}

/// Runs that are waited for together: one alone would be lost in the waiting.
const TOGETHER: usize = 20;

/// 3×3 convolutions of SD's U-Net, as ours and as burn's: errors against the CPU, and times.
pub fn convolution(device: &Device) -> anyhow::Result<()> {
    for (name, dtype) in [("f16", FloatDType::F16), ("f32", FloatDType::F32)] {
        for (channels, side) in [(320, 64), (1280, 16)] {
            let reference: Conv2d = Conv2dConfig::new([channels, channels], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(&Device::flex());
            let input = normal::<4>([2, channels, side, side], &Device::flex());
            let expected = kernels::conv2d(&reference, input.clone());
            let layer = typed(reference.to_device(device), dtype);
            let x = Tensor::<4>::from_data(input.into_data(), device).cast(dtype);
            let ours = || kernels::conv2d(&layer, x.clone());
            let burns = || layer.forward(x.clone());
            let ways: [(&str, &dyn Fn() -> Tensor<4>); 2] = [("ours", &ours), ("burn's", &burns)];
            for (way, run) in ways {
                let name = format!("{name}, {channels} channels at {side}x{side}, {way}");
                let error = error(run().cast(FloatDType::F32), &expected);
                // What burn does is told, not judged.
                let bound = if way == "ours" { bound(dtype) } else { f64::MAX };
                Row::Error { name: name.clone(), error, bound }.print()?;
                let many = || {
                    let results: Vec<Tensor<4>> = (0..TOGETHER).map(|_| run()).collect();
                    results.into_iter().try_for_each(wait)
                };
                timed(format!("{name}, {TOGETHER} runs"), device, many)?.print()?;
            }
        }
    }
    Ok(())
}
