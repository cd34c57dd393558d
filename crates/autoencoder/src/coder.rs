//! The encoder and the decoder.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use kernels::{conv2d, group_norm, group_norm_silu};
use layers::trace::{extra, named};
use layers::{
    Attention, AttentionConfig, Downsample2D, DownsamplePadding, ResnetBlock2D,
    ResnetBlock2DConfig, Upsample2D,
};

use crate::AutoencoderKLConfig;

/// Epsilon of every norm in the autoencoder.
const EPS: f64 = 1e-6;

/// From picture to the moments of the latents.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<DownEncoderBlock2D>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// From latents to picture.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<UpDecoderBlock2D>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

#[derive(Module, Debug)]
struct DownEncoderBlock2D {
    resnets: Vec<ResnetBlock2D>,
    downsamplers: Vec<Downsample2D>,
}

#[derive(Module, Debug)]
struct UpDecoderBlock2D {
    resnets: Vec<ResnetBlock2D>,
    upsamplers: Vec<Upsample2D>,
}

/// `UNetMidBlock2D`: two resnets with single-head self-attention between.
#[derive(Module, Debug)]
struct MidBlock {
    attentions: Vec<Attention>,
    resnets: Vec<ResnetBlock2D>,
}

fn norm(config: &AutoencoderKLConfig, channels: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(config.norm_num_groups, channels).with_epsilon(EPS).init(device)
}

fn conv3x3(input: usize, output: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

fn resnet(
    config: &AutoencoderKLConfig,
    input: usize,
    output: usize,
    device: &Device,
) -> ResnetBlock2D {
    ResnetBlock2DConfig {
        in_channels: input,
        out_channels: output,
        temb_channels: None,
        groups: config.norm_num_groups,
        eps: EPS,
    }
    .init(device)
}

/// `layers` resnets, the first of which changes the channels.
fn resnets(
    config: &AutoencoderKLConfig,
    layers: usize,
    input: usize,
    output: usize,
    device: &Device,
) -> Vec<ResnetBlock2D> {
    (0..layers)
        .map(|i| resnet(config, if i == 0 { input } else { output }, output, device))
        .collect()
}

/// The `index`th resnet of a block.
fn residual(resnet: &ResnetBlock2D, index: usize, hidden: Tensor<4>) -> Tensor<4> {
    named("resnets", index, || resnet.forward(hidden, None))
}

/// What either coder ends with: norm, SiLU and a convolution.
fn head(norm: &GroupNorm, conv: &Conv2d, hidden: Tensor<4>) -> Tensor<4> {
    extra("conv_norm_out", || group_norm(norm, hidden.clone()));
    let normed = group_norm_silu(norm, hidden);
    named("conv_out", None, || conv2d(conv, normed))
}

impl DownEncoderBlock2D {
    fn forward(&self, mut hidden: Tensor<4>) -> Tensor<4> {
        for (index, resnet) in self.resnets.iter().enumerate() {
            hidden = residual(resnet, index, hidden);
        }
        for (index, downsampler) in self.downsamplers.iter().enumerate() {
            hidden = named("downsamplers", index, || downsampler.forward(hidden));
        }
        hidden
    }
}

impl UpDecoderBlock2D {
    fn forward(&self, mut hidden: Tensor<4>) -> Tensor<4> {
        for (index, resnet) in self.resnets.iter().enumerate() {
            hidden = residual(resnet, index, hidden);
        }
        for (index, upsampler) in self.upsamplers.iter().enumerate() {
            hidden = named("upsamplers", index, || upsampler.forward(hidden, None));
        }
        hidden
    }
}

impl MidBlock {
    fn new(config: &AutoencoderKLConfig, channels: usize, device: &Device) -> Self {
        let attention = AttentionConfig {
            query_dim: channels,
            cross_attention_dim: channels,
            heads: 1,
            bias: true,
            upcast: false,
            group_norm: Some((config.norm_num_groups, EPS)),
        };
        Self {
            attentions: vec![attention.init(device)],
            resnets: resnets(config, 2, channels, channels, device),
        }
    }

    fn forward(&self, hidden: Tensor<4>) -> Tensor<4> {
        let hidden = residual(&self.resnets[0], 0, hidden);
        let hidden = named("attentions", 0, || self.attentions[0].forward_map(hidden));
        residual(&self.resnets[1], 1, hidden)
    }
}

impl Encoder {
    pub(crate) fn new(config: &AutoencoderKLConfig, device: &Device) -> Self {
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        let deepest = channels[last];
        let block = |level: usize| {
            let (input, output) = (channels[level.saturating_sub(1)], channels[level]);
            let down = || Downsample2D::new(output, DownsamplePadding::RightBottom, device);
            DownEncoderBlock2D {
                resnets: resnets(config, config.layers_per_block, input, output, device),
                downsamplers: if level == last { vec![] } else { vec![down()] },
            }
        };
        Self {
            conv_in: conv3x3(config.in_channels, channels[0], device),
            down_blocks: (0..channels.len()).map(block).collect(),
            mid_block: MidBlock::new(config, deepest, device),
            conv_norm_out: norm(config, deepest, device),
            conv_out: conv3x3(deepest, 2 * config.latent_channels, device),
        }
    }

    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        let mut hidden = named("conv_in", None, || conv2d(&self.conv_in, pixels));
        for (level, block) in self.down_blocks.iter().enumerate() {
            hidden = named("down_blocks", level, || block.forward(hidden));
        }
        hidden = named("mid_block", None, || self.mid_block.forward(hidden));
        head(&self.conv_norm_out, &self.conv_out, hidden)
    }
}

impl Decoder {
    pub(crate) fn new(config: &AutoencoderKLConfig, device: &Device) -> Self {
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let last = channels.len() - 1;
        let block = |level: usize| {
            let (input, output) = (channels[level.saturating_sub(1)], channels[level]);
            UpDecoderBlock2D {
                resnets: resnets(config, config.layers_per_block + 1, input, output, device),
                upsamplers: if level == last {
                    vec![]
                } else {
                    vec![Upsample2D::new(output, device)]
                },
            }
        };
        Self {
            conv_in: conv3x3(config.latent_channels, channels[0], device),
            mid_block: MidBlock::new(config, channels[0], device),
            up_blocks: (0..channels.len()).map(block).collect(),
            conv_norm_out: norm(config, channels[last], device),
            conv_out: conv3x3(channels[last], config.out_channels, device),
        }
    }

    pub(crate) fn forward(&self, latents: Tensor<4>) -> Tensor<4> {
        let mut hidden = named("conv_in", None, || conv2d(&self.conv_in, latents));
        hidden = named("mid_block", None, || self.mid_block.forward(hidden));
        for (level, block) in self.up_blocks.iter().enumerate() {
            hidden = named("up_blocks", level, || block.forward(hidden));
        }
        head(&self.conv_norm_out, &self.conv_out, hidden)
    }
}
