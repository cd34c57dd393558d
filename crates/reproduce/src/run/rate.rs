//! How fast this machine is, in well under a second: a part of the study's U-Net is timed, and the
//! time of the whole follows from their multiply-accumulates.

use std::time::{Duration, Instant};

use burn::tensor::{DType, Distribution, Tensor};
use unet_core::{AddedConditioning, UNet2DConditionConfig, UNet2DConditionModel};
use weights::cast;

use super::context::RunOptions;
use crate::plan::Study;

/// Tokens of a prompt.
const TOKENS: usize = 77;
/// Most parameters of the U-Net that is timed; random numbers for more take too long to draw.
const MOST_PARAMETERS: usize = 30_000_000;
/// Most multiply-accumulates of one timed sample, less than a tenth of a second on a small CPU.
const MOST_MACS: u64 = 2_000_000_000;
/// How long the timed call should take.
const ENOUGH: Duration = Duration::from_millis(200);

/// What was timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredRate {
    /// Multiply-accumulates of one sample of the study's U-Net.
    pub macs_per_sample: u64,
    /// Those this machine did in a second, on a U-Net's first levels.
    pub macs_per_second: f64,
    /// How many of that U-Net's levels were timed, and how many it has.
    pub levels: [usize; 2],
}

impl MeasuredRate {
    /// Estimated time of one sample, in seconds.
    pub fn seconds_per_sample(&self) -> f64 {
        self.macs_per_sample as f64 / self.macs_per_second
    }

    /// The same machine's rate for another study.
    pub(crate) fn applied_to(self, study: &Study) -> Self {
        Self { macs_per_sample: macs(&study.unet, study.latent_size), ..self }
    }
}

/// Multiply-accumulates of one sample with latents of that side.
fn macs(unet: &UNet2DConditionConfig, side: usize) -> u64 {
    unet.costs([side; 2], TOKENS).iter().map(|part| part.macs).sum()
}

/// Times as many of the first levels of the study's U-Net as are quickly filled with random weights
/// (they cost as much as real ones).
pub(crate) fn measure(study: &Study, options: &RunOptions) -> MeasuredRate {
    let whole = &study.unet;
    let parameters = |config: &UNet2DConditionConfig| -> usize {
        config.costs([1; 2], TOKENS).iter().map(|part| part.parameters).sum()
    };
    let levels = (2..=whole.levels())
        .take_while(|levels| parameters(&first_levels(whole, *levels)) <= MOST_PARAMETERS)
        .last()
        .unwrap_or(1);
    let part = first_levels(whole, levels);
    let smallest = 1 << levels;
    let mut side = study.latent_size.max(smallest);
    while macs(&part, side) > MOST_MACS && side > smallest {
        side = (side / 2).max(smallest);
    }
    let unet = cast(part.init(&options.device), options.dtype);
    // The first call also prepares kernels.
    seconds(&unet, side, 1, options);
    let mut taken = seconds(&unet, side, 1, options);
    let batch = (ENOUGH.as_secs_f64() / taken.max(1e-6)) as usize;
    let batch = batch.clamp(1, options.unet_batch.max(1));
    if batch > 1 {
        taken = seconds(&unet, side, batch, options);
    }
    MeasuredRate {
        macs_per_sample: macs(whole, study.latent_size),
        macs_per_second: macs(&part, side) as f64 * batch as f64 / taken.max(1e-9),
        levels: [levels, whole.levels()],
    }
}

/// The same U-Net without its deeper levels.
fn first_levels(config: &UNet2DConditionConfig, levels: usize) -> UNet2DConditionConfig {
    let mut part = config.clone();
    part.block_out_channels.truncate(levels);
    part.down_block_types.truncate(levels);
    part.up_block_types.drain(..config.levels() - levels);
    part.transformer_layers_per_block.truncate(levels);
    part.num_attention_heads.truncate(levels);
    part
}

/// The time of one call.
fn seconds(unet: &UNet2DConditionModel, side: usize, batch: usize, options: &RunOptions) -> f64 {
    let (config, device) = (unet.config(), &options.device);
    let noise = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, device);
    let input = noise([batch, config.in_channels, side, side]);
    let context = noise([batch, TOKENS, config.cross_attention_dim, 1]).squeeze_dim::<3>(3);
    let added = config.addition_embed.map(|sizes| AddedConditioning {
        text_embeds: noise([batch, sizes.input_dim - 6 * sizes.time_embed_dim, 1, 1])
            .reshape([batch as i32, -1]),
        time_ids: vec![[side as f64 * 8.0; 6]; batch],
    });
    let start = Instant::now();
    let output = unet.forward(input, &[500.0], context, added.as_ref(), None);
    // The result is asked for, or a GPU would still be at work.
    let _ = output.sum().cast(DType::F32).into_scalar::<f32>();
    start.elapsed().as_secs_f64()
}
