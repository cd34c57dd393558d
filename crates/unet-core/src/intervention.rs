//! Sites of the U-Net, and what may be done there.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use layers::Transformer2DModel;

/// Where in the U-Net an attention block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// `down_blocks.{level}`.
    Down {
        /// Index among the down blocks, highest resolution first.
        level: usize,
    },
    /// `mid_block`.
    Mid,
    /// `up_blocks.{level}`.
    Up {
        /// Index among the up blocks, deepest first (diffusers' `resolution_idx`).
        level: usize,
    },
}

/// An attention block: the `i` of the paper's `blk-i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockSite {
    /// Index in execution order, from 0.
    pub index: usize,
    /// Where it stands.
    pub kind: BlockKind,
}

/// One Transformer of an attention block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransformerSite {
    /// Its block.
    pub block: BlockSite,
    /// Its index in the block's `attentions`.
    pub layer: usize,
    /// Height and width of the feature map.
    pub resolution: [usize; 2],
}

/// A skip connection, where it joins a resnet of the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SkipSite {
    /// Index of the up block, deepest first (diffusers' `resolution_idx`).
    pub up_block: usize,
    /// Index of the resnet in the up block.
    pub layer: usize,
    /// Channels of the U-Net's highest resolution, by which FreeU's original form gates.
    pub model_channels: usize,
}

/// What becomes of one attention block in one forward pass, for each sample of the batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlockAction {
    /// Factor of each Transformer's output (its residual included), one per sample.
    pub scale: Option<Vec<f32>>,
    /// Whether the Transformers run, one per sample; where not, features pass unchanged.
    pub run: Option<Vec<bool>>,
}

/// A policy at the U-Net's sites. Every method leaves things as they are unless overridden.
pub trait Intervention {
    /// Scales or skips the Transformers of `block` for a batch of `batch` samples.
    fn attention_block(&self, _block: BlockSite, _batch: usize) -> BlockAction {
        BlockAction::default()
    }

    /// Rewrites the (scaled) output of one Transformer, `[batch, channels, height, width]`.
    fn transformer_output(&self, _site: TransformerSite, hidden: Tensor<4>) -> Tensor<4> {
        hidden
    }

    /// Rewrites the backbone features and the skip features just before they are concatenated.
    fn skip_connection(
        &self,
        _site: SkipSite,
        hidden: Tensor<4>,
        skip: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        (hidden, skip)
    }
}

/// An intervention at one attention block, prepared once for all its Transformers.
pub(crate) struct ActiveBlock<'a> {
    intervention: &'a dyn Intervention,
    site: BlockSite,
    scale: Option<Tensor<4>>,
    run: Run,
}

enum Run {
    All,
    None,
    Some(Box<Partial>),
}

/// Which samples of a batch run.
struct Partial {
    /// Positions of those that run.
    run: Tensor<1, Int>,
    /// Positions of the others.
    skipped: Tensor<1, Int>,
    /// For each sample its place in `run ++ skipped`.
    order: Tensor<1, Int>,
}

impl<'a> ActiveBlock<'a> {
    pub(crate) fn new(
        intervention: &'a dyn Intervention,
        site: BlockSite,
        batch: usize,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let BlockAction { scale, run } = intervention.attention_block(site, batch);
        let scale = scale.filter(|scale| scale.iter().any(|factor| *factor != 1.0)).map(|scale| {
            assert_eq!(scale.len(), batch, "one scale factor per sample, {site:?}");
            Tensor::from_data(TensorData::new(scale, [batch, 1, 1, 1]), (device, dtype))
        });
        let run = run.map_or(Run::All, |run| {
            assert_eq!(run.len(), batch, "one run flag per sample, {site:?}");
            Run::new(&run, device)
        });
        Self { intervention, site, scale, run }
    }

    /// One Transformer under the intervention: run or skip, scale, rewrite.
    pub(crate) fn forward(
        &self,
        transformer: &Transformer2DModel,
        layer: usize,
        hidden: Tensor<4>,
        context: &Tensor<3>,
    ) -> Tensor<4> {
        let [_, _, height, width] = hidden.dims();
        let scaled = |output: Tensor<4>, scale: Option<Tensor<4>>| match scale {
            Some(scale) => output * scale,
            None => output,
        };
        let hidden = match &self.run {
            Run::All => scaled(transformer.forward(hidden, context), self.scale.clone()),
            Run::None => hidden,
            Run::Some(partial) => {
                let Partial { run, skipped, order } = &**partial;
                let output = transformer.forward(
                    hidden.clone().select(0, run.clone()),
                    &context.clone().select(0, run.clone()),
                );
                let scale = self.scale.clone().map(|scale| scale.select(0, run.clone()));
                let passed = hidden.select(0, skipped.clone());
                Tensor::cat(vec![scaled(output, scale), passed], 0).select(0, order.clone())
            }
        };
        let site = TransformerSite { block: self.site, layer, resolution: [height, width] };
        self.intervention.transformer_output(site, hidden)
    }
}

impl Run {
    fn new(run: &[bool], device: &Device) -> Self {
        let positions = |wanted: bool| -> Vec<usize> {
            (0..run.len()).filter(|sample| run[*sample] == wanted).collect()
        };
        let (running, skipped) = (positions(true), positions(false));
        if skipped.is_empty() {
            return Self::All;
        }
        if running.is_empty() {
            return Self::None;
        }
        let mut order = vec![0; run.len()];
        for (place, sample) in running.iter().chain(&skipped).enumerate() {
            order[*sample] = place;
        }
        Self::Some(Box::new(Partial {
            run: indices(&running, device),
            skipped: indices(&skipped, device),
            order: indices(&order, device),
        }))
    }
}

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
