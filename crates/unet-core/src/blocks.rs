//! The blocks of the U-Net: the ways down and up, and the bottleneck.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use layers::trace::named;
use layers::{
    Downsample2D, DownsamplePadding, ResnetBlock2D, ResnetBlock2DConfig, Transformer2DModel,
    Transformer2DModelConfig, Upsample2D,
};

use crate::active::ActiveBlock;
use crate::flow::Flow;
use crate::{BlockKind, SkipSite, UNet2DConditionConfig};

/// One level on the way down: `DownBlock2D`, or `CrossAttnDownBlock2D` with Transformers.
#[derive(Module, Debug)]
pub(crate) struct DownBlock {
    attentions: Vec<Transformer2DModel>,
    resnets: Vec<ResnetBlock2D>,
    downsamplers: Vec<Downsample2D>,
}

/// The bottleneck, `UNetMidBlock2DCrossAttn`.
#[derive(Module, Debug)]
pub(crate) struct MidBlock {
    attentions: Vec<Transformer2DModel>,
    resnets: Vec<ResnetBlock2D>,
}

/// One level on the way up: `UpBlock2D`, or `CrossAttnUpBlock2D` with Transformers.
#[derive(Module, Debug)]
pub(crate) struct UpBlock {
    attentions: Vec<Transformer2DModel>,
    resnets: Vec<ResnetBlock2D>,
    upsamplers: Vec<Upsample2D>,
}

fn resnet(
    config: &UNet2DConditionConfig,
    in_channels: usize,
    out_channels: usize,
    device: &Device,
) -> ResnetBlock2D {
    ResnetBlock2DConfig {
        in_channels,
        out_channels,
        temb_channels: Some(config.time_embed_dim()),
        groups: config.norm_num_groups,
        eps: config.norm_eps,
    }
    .init(device)
}

fn transformer(
    config: &UNet2DConditionConfig,
    level: usize,
    device: &Device,
) -> Transformer2DModel {
    Transformer2DModelConfig {
        channels: config.block_out_channels[level],
        heads: config.num_attention_heads[level],
        layers: config.transformer_layers_per_block[level],
        cross_attention_dim: config.cross_attention_dim,
        norm_num_groups: config.norm_num_groups,
        upcast_attention: config.upcast_attention,
    }
    .init(device)
}

/// The `layer`th resnet of a block.
fn residual(resnet: &ResnetBlock2D, layer: usize, hidden: Tensor<4>, flow: &Flow<'_>) -> Tensor<4> {
    named("resnets", layer, || resnet.forward(hidden, Some(&flow.temb)))
}

/// A Transformer, under the intervention where there is one.
fn attend(
    transformer: &Transformer2DModel,
    layer: usize,
    active: Option<&ActiveBlock<'_>>,
    hidden: Tensor<4>,
    flow: &mut Flow<'_>,
) -> Tensor<4> {
    named("attentions", layer, || match active {
        Some(active) => active.forward(transformer, layer, hidden, flow),
        None => transformer.forward(hidden, &flow.context),
    })
}

impl DownBlock {
    pub(crate) fn new(config: &UNet2DConditionConfig, level: usize, device: &Device) -> Self {
        let channels = config.block_out_channels[level];
        let input = config.block_out_channels[level.saturating_sub(1)];
        let attends = config.attends(BlockKind::Down { level });
        let layers = config.layers_per_block;
        let last = level + 1 == config.levels();
        let downsampler = || Downsample2D::new(channels, DownsamplePadding::Symmetric, device);
        Self {
            attentions: (0..if attends { layers } else { 0 })
                .map(|_| transformer(config, level, device))
                .collect(),
            resnets: (0..layers)
                .map(|i| resnet(config, if i == 0 { input } else { channels }, channels, device))
                .collect(),
            downsamplers: if last { vec![] } else { vec![downsampler()] },
        }
    }

    /// Keeps the output of every layer in `flow` and returns the last.
    pub(crate) fn forward(
        &self,
        mut hidden: Tensor<4>,
        flow: &mut Flow<'_>,
        active: Option<&ActiveBlock<'_>>,
    ) -> Tensor<4> {
        for (layer, resnet) in self.resnets.iter().enumerate() {
            hidden = residual(resnet, layer, hidden, flow);
            if let Some(transformer) = self.attentions.get(layer) {
                hidden = attend(transformer, layer, active, hidden, flow);
            }
            flow.push_skip(hidden.clone());
        }
        for (index, downsampler) in self.downsamplers.iter().enumerate() {
            hidden = named("downsamplers", index, || downsampler.forward(hidden));
            flow.push_skip(hidden.clone());
        }
        hidden
    }
}

impl MidBlock {
    pub(crate) fn new(config: &UNet2DConditionConfig, device: &Device) -> Self {
        let level = config.level_of(BlockKind::Mid);
        let channels = config.block_out_channels[level];
        Self {
            attentions: vec![transformer(config, level, device)],
            resnets: (0..2).map(|_| resnet(config, channels, channels, device)).collect(),
        }
    }

    pub(crate) fn forward(
        &self,
        hidden: Tensor<4>,
        flow: &mut Flow<'_>,
        active: Option<&ActiveBlock<'_>>,
    ) -> Tensor<4> {
        let hidden = residual(&self.resnets[0], 0, hidden, flow);
        let hidden = attend(&self.attentions[0], 0, active, hidden, flow);
        residual(&self.resnets[1], 1, hidden, flow)
    }
}

impl UpBlock {
    pub(crate) fn new(config: &UNet2DConditionConfig, up_level: usize, device: &Device) -> Self {
        let reversed: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let kind = BlockKind::Up { level: up_level };
        let level = config.level_of(kind);
        let channels = reversed[up_level];
        let previous = reversed[up_level.saturating_sub(1)];
        let below = reversed[(up_level + 1).min(config.levels() - 1)];
        let attends = config.attends(kind);
        let layers = config.layers_per_block + 1;
        let last = up_level + 1 == config.levels();
        let input = |i: usize| {
            let skip = if i + 1 == layers { below } else { channels };
            skip + if i == 0 { previous } else { channels }
        };
        Self {
            attentions: (0..if attends { layers } else { 0 })
                .map(|_| transformer(config, level, device))
                .collect(),
            resnets: (0..layers).map(|i| resnet(config, input(i), channels, device)).collect(),
            upsamplers: if last { vec![] } else { vec![Upsample2D::new(channels, device)] },
        }
    }

    /// Takes one output of the way down per layer, and enlarges to the size of the one after.
    pub(crate) fn forward(
        &self,
        up_block: usize,
        mut hidden: Tensor<4>,
        flow: &mut Flow<'_>,
        active: Option<&ActiveBlock<'_>>,
    ) -> Tensor<4> {
        for (layer, resnet) in self.resnets.iter().enumerate() {
            let mut skip = flow.pop_skip();
            if let Some(intervention) = flow.intervention {
                let site = SkipSite { up_block, layer, model_channels: flow.model_channels };
                (hidden, skip) = intervention.skip_connection(site, hidden, skip);
            }
            hidden = Tensor::cat(vec![hidden, skip], 1);
            hidden = residual(resnet, layer, hidden, flow);
            if let Some(transformer) = self.attentions.get(layer) {
                hidden = attend(transformer, layer, active, hidden, flow);
            }
        }
        for (index, upsampler) in self.upsamplers.iter().enumerate() {
            let size = flow.next_size();
            hidden = named("upsamplers", index, || upsampler.forward(hidden, size));
        }
        hidden
    }
}
