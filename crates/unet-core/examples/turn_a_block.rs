//! How far each attention block moves a prediction when it is turned to 0.9: an intervention of one's
//! own on a diffusers U-Net.
//!
//! `cargo run -p unet-core --example turn_a_block [folder of a diffusers unet]`

use std::path::PathBuf;

use burn::tensor::{Device, FloatDType, Tensor};
use unet_core::{BlockAction, BlockSite, Intervention, UNet2DConditionModel};

/// Scales the output of one block's Transformers.
struct Turned {
    index: usize,
    factor: f32,
}

impl Intervention for Turned {
    fn attention_block(&self, block: BlockSite, batch: usize) -> BlockAction {
        let scale = (block.index == self.index).then(|| vec![self.factor; batch]);
        BlockAction { scale, ..BlockAction::default() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shipped =
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-sd/unet"));
    let folder = std::env::args_os().nth(1).map_or_else(shipped, PathBuf::from);
    let device = Device::flex();
    let unet = UNet2DConditionModel::from_folder(folder, FloatDType::F32, &device)?;
    let config = unet.config();
    if config.addition_embed.is_some() {
        return Err("SDXL's U-Nets need a pooled text as well".into());
    }
    let [height, width] = config.sample_size.unwrap_or([16, 16]);
    // A wave for latents, and another for the text: nothing here is random.
    let wave = |count: usize, pitch: f32| -> Tensor<1> {
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * pitch).sin()).collect();
        Tensor::from_floats(values.as_slice(), &device)
    };
    let channels = config.in_channels;
    let sample = wave(channels * height * width, 0.7).reshape([1, channels, height, width]);
    let context =
        wave(8 * config.cross_attention_dim, 0.3).reshape([1, 8, config.cross_attention_dim]);
    let predict = |intervention: Option<&dyn Intervention>| {
        unet.forward(sample.clone(), &[500.0], context.clone(), None, intervention)
    };
    let vanilla = predict(None);
    println!("mean squared distance of the prediction, with one block at 0.9:");
    for block in config.blocks() {
        let turned = Turned { index: block.site.index, factor: 0.9 };
        let distance = (predict(Some(&turned)) - vanilla.clone()).powi_scalar(2).mean();
        println!(
            "{:>2}  {:<14} {:.3e}",
            block.site.index,
            block.path,
            distance.into_scalar::<f32>()
        );
    }
    Ok(())
}
