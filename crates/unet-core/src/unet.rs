//! The denoising U-Net.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor};
use kernels::{conv2d, group_norm, group_norm_silu, silu};
use layers::trace::{extra, named};

use crate::active::ActiveBlock;
use crate::blocks::{DownBlock, MidBlock, UpBlock};
use crate::embeddings::{TimestepEmbedding, sinusoidal};
use crate::flow::{Flow, select};
use crate::rows::Rows;
use crate::table::Stage;
use crate::{Intervention, UNet2DConditionConfig};

/// The denoising U-Net of Stable Diffusion (diffusers `UNet2DConditionModel`).
///
/// Should be created with [`UNet2DConditionConfig::init`] or [`UNet2DConditionModel::from_folder`].
#[derive(Module, Debug)]
pub struct UNet2DConditionModel {
    conv_in: Conv2d,
    time_embedding: TimestepEmbedding,
    add_embedding: Option<TimestepEmbedding>,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    #[module(skip)]
    config: UNet2DConditionConfig,
}

/// SDXL's additional conditioning (`text_time`).
#[derive(Debug, Clone)]
pub struct AddedConditioning {
    /// Pooled text embedding, `[batch, projection_dim]`.
    pub text_embeds: Tensor<2>,
    /// Original height and width, crop top and left, target height and width, for each sample.
    pub time_ids: Vec<[f64; 6]>,
}

impl UNet2DConditionConfig {
    /// A U-Net with random weights on `device`; parameters are materialised when first used.
    pub fn init(&self, device: &Device) -> UNet2DConditionModel {
        let first = self.block_out_channels[0];
        let conv = |input, output| {
            Conv2dConfig::new([input, output], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let time = self.time_embed_dim();
        UNet2DConditionModel {
            conv_in: conv(self.in_channels, first),
            time_embedding: TimestepEmbedding::new(first, time, device),
            add_embedding: self
                .addition_embed
                .map(|sizes| TimestepEmbedding::new(sizes.input_dim, time, device)),
            down_blocks: (0..self.levels()).map(|i| DownBlock::new(self, i, device)).collect(),
            mid_block: MidBlock::new(self, device),
            up_blocks: (0..self.levels()).map(|i| UpBlock::new(self, i, device)).collect(),
            conv_norm_out: GroupNormConfig::new(self.norm_num_groups, first)
                .with_epsilon(self.norm_eps)
                .init(device),
            conv_out: conv(first, self.out_channels),
            config: self.clone(),
        }
    }
}

impl UNet2DConditionModel {
    /// The configuration it was made from.
    pub fn config(&self) -> &UNet2DConditionConfig {
        &self.config
    }

    /// The device its parameters are on.
    pub fn device(&self) -> Device {
        self.conv_in.weight.lazy_device()
    }

    /// The data type of its parameters.
    pub fn dtype(&self) -> DType {
        self.conv_in.weight.val().dtype()
    }

    /// Predicts the noise (or velocity) in `sample`.
    ///
    /// # Shapes
    /// - sample and output: `[batch, in_channels, height, width]`, any size from 1 up
    /// - timesteps: one for all samples, or one per sample; 0 to 999, fractions allowed
    /// - context: `[batch, tokens, cross_attention_dim]`
    ///
    /// # Panics
    /// Where shapes disagree, `added` is absent for a model that needs it, or the intervention
    /// reuses a residual that it has not kept.
    pub fn forward(
        &self,
        sample: Tensor<4>,
        timesteps: &[f64],
        context: Tensor<3>,
        added: Option<&AddedConditioning>,
        intervention: Option<&dyn Intervention>,
    ) -> Tensor<4> {
        let samples: Vec<usize> = (0..sample.dims()[0]).collect();
        self.forward_repeated(sample, timesteps, context, added, &samples, intervention)
    }

    /// The prediction for each of `inputs`, which are indices of samples and may repeat; the batch
    /// that the intervention sees are those.
    ///
    /// Under an intervention that only scales and skips
    /// ([`Intervention::only_scales_and_skips`]), what is the same for several of them is computed
    /// once: all that comes before the first block that treats them differently. Whatever the
    /// repetitions, a prediction is what [`Self::forward`] gives, on the CPU bit by bit.
    ///
    /// # Shapes
    /// As [`Self::forward`]; the output is `[inputs.len(), in_channels, height, width]`.
    ///
    /// # Panics
    /// As [`Self::forward`], and for an index beyond the samples.
    pub fn forward_repeated(
        &self,
        sample: Tensor<4>,
        timesteps: &[f64],
        context: Tensor<3>,
        added: Option<&AddedConditioning>,
        inputs: &[usize],
        intervention: Option<&dyn Intervention>,
    ) -> Tensor<4> {
        let device = sample.device();
        let dtype = self.dtype();
        let temb = silu(self.embed_time(timesteps, sample.dims()[0], added, (&device, dtype)));
        let (mut sample, context) = (sample.cast(dtype), context.cast(dtype));
        let shared = intervention.is_none_or(|intervention| intervention.only_scales_and_skips());
        let (rows, first) = if shared { Rows::by(inputs) } else { Rows::by(0..inputs.len()) };
        let chosen: Vec<usize> = first.iter().map(|at| inputs[*at]).collect();
        let mut conditions = (temb, context);
        if !chosen.iter().copied().eq(0..sample.dims()[0]) {
            sample = select(sample, &chosen);
            conditions = (select(conditions.0, &chosen), select(conditions.1, &chosen));
        }
        let model_channels = self.config.block_out_channels[0];
        let mut flow = Flow::new(conditions, rows, intervention, model_channels);
        let stages = self.config.stages();
        let (down, rest) = stages.split_at(self.down_blocks.len());
        let (mid, up) = rest.split_at(1);
        let active = |stage: &Stage| {
            let (intervention, site) = (intervention?, stage.site?);
            Some(ActiveBlock::new(intervention, site, inputs.len(), &device, dtype))
        };
        let mut hidden = named("conv_in", None, || conv2d(&self.conv_in, sample));
        flow.push_skip(hidden.clone());
        for (level, (block, stage)) in self.down_blocks.iter().zip(down).enumerate() {
            let active = active(stage);
            hidden =
                named("down_blocks", level, || block.forward(hidden, &mut flow, active.as_ref()));
        }
        let mid = mid.first().and_then(active);
        hidden =
            named("mid_block", None, || self.mid_block.forward(hidden, &mut flow, mid.as_ref()));
        for (level, (block, stage)) in self.up_blocks.iter().zip(up).enumerate() {
            let active = active(stage);
            hidden = named("up_blocks", level, || {
                block.forward(level, hidden, &mut flow, active.as_ref())
            });
        }
        extra("conv_norm_out", || group_norm(&self.conv_norm_out, hidden.clone()));
        let normed = group_norm_silu(&self.conv_norm_out, hidden);
        let output = named("conv_out", None, || conv2d(&self.conv_out, normed));
        if flow.rows.are_samples() { output } else { select(output, flow.rows.of_samples()) }
    }

    /// The time embedding, with SDXL's additional embedding added; `[batch, time_embed_dim]`.
    fn embed_time(
        &self,
        timesteps: &[f64],
        batch: usize,
        added: Option<&AddedConditioning>,
        options: (&Device, DType),
    ) -> Tensor<2> {
        assert!(
            timesteps.len() == 1 || timesteps.len() == batch,
            "expected 1 or {batch} timesteps, found {}",
            timesteps.len()
        );
        let config = &self.config;
        let (flip, shift) = (config.flip_sin_to_cos, config.freq_shift);
        // One timestep for all: the embedding is computed once for every sample all the same, so
        // that a sample's rounding does not depend on whether its batch shares the timestep.
        let timesteps: Vec<f64> = timesteps.iter().copied().cycle().take(batch).collect();
        let waves = named("time_proj", None, || {
            sinusoidal(&timesteps, config.block_out_channels[0], flip, shift, options)
        });
        let temb = named("time_embedding", None, || self.time_embedding.forward(waves));
        let (Some(embedding), Some(sizes)) = (&self.add_embedding, config.addition_embed) else {
            return temb;
        };
        let Some(added) = added else {
            unreachable!("this U-Net is called with `AddedConditioning` (text_time)")
        };
        assert_eq!(added.time_ids.len(), batch, "one set of time ids per sample");
        let ids: Vec<f64> = added.time_ids.iter().flatten().copied().collect();
        let waves = named("add_time_proj", None, || {
            sinusoidal(&ids, sizes.time_embed_dim, flip, shift, options)
        });
        let waves = waves.reshape([batch, 6 * sizes.time_embed_dim]);
        let text = added.text_embeds.clone().cast(options.1);
        let joined = Tensor::cat(vec![text, waves], 1);
        temb + named("add_embedding", None, || embedding.forward(joined))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    use super::*;
    use crate::{BlockAction, BlockMode, BlockSite};

    /// Scales and modes by block and sample.
    struct Table {
        scales: Vec<Vec<f32>>,
        modes: Vec<Vec<BlockMode>>,
        sharing: bool,
    }

    impl Intervention for Table {
        fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
            let (scale, mode) = (&self.scales[site.index], &self.modes[site.index]);
            assert_eq!(scale.len(), batch);
            BlockAction { scale: Some(scale.clone()), mode: Some(mode.clone()), keep: false }
        }

        fn only_scales_and_skips(&self) -> bool {
            self.sharing
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Few scales and inputs, so that samples stay alike for some blocks.
        #[test]
        fn what_is_computed_once_for_several_samples_is_what_each_would_get(
            inputs in prop::collection::vec(0usize..3, 1..9),
            choices in prop::collection::vec(prop::collection::vec(0usize..8, 9), 7),
        ) {
            const TINY: &str = r#"{"block_out_channels": [8, 16, 16, 16], "layers_per_block": 1,
                "attention_head_dim": [1, 2, 2, 2], "cross_attention_dim": 8, "norm_num_groups": 4,
                "use_linear_projection": true}"#;
            let config = UNet2DConditionConfig::from_json(TINY, "a tiny model's").unwrap();
            let device = Device::flex();
            let unet = config.init(&device);
            let blocks = unet.config().num_attention_blocks();
            let pick = |block: usize, at: usize| choices[block][at];
            let (pick, inputs) = (&pick, &inputs);
            let scales = (0..blocks).map(|block| {
                (0..inputs.len()).map(move |at| [1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 1.0, 1.0][pick(block, at)])
            });
            let modes = (0..blocks).map(|block| {
                (0..inputs.len()).map(move |at| match pick(block, at) {
                    6 => BlockMode::Skip,
                    _ => BlockMode::Run,
                })
            });
            let mut table = Table {
                scales: scales.map(Iterator::collect).collect(),
                modes: modes.map(Iterator::collect).collect(),
                sharing: true,
            };
            let normal = Distribution::Normal(0.0, 1.0);
            let sample = Tensor::<4>::random([3, 4, 8, 8], normal, &device);
            let context = Tensor::<3>::random([3, 3, 8], normal, &device);
            let mut run = |sharing| {
                table.sharing = sharing;
                let (sample, context) = (sample.clone(), context.clone());
                let timesteps = [700.0, 300.0, 300.0];
                unet.forward_repeated(sample, &timesteps, context, None, inputs, Some(&table))
                    .into_data()
            };
            prop_assert_eq!(run(true), run(false));
        }
    }
}
