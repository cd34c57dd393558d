//! Sites of the U-Net, and what may be done there.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

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

/// What a block's Transformers do in one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockMode {
    /// They run.
    Run,
    /// They are skipped: features pass unchanged, unscaled.
    Skip,
    /// They are not run; what each of them added to its features when it last ran is added to the
    /// features of now, and the sum is scaled as an output.
    Reuse,
}

/// What becomes of one attention block in one forward pass, for each sample of the batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlockAction {
    /// Factor of each Transformer's output (its residual included), one per sample.
    pub scale: Option<Vec<f32>>,
    /// What the Transformers do, one per sample; all run where absent.
    pub mode: Option<Vec<BlockMode>>,
    /// Whether the residuals of those that run are handed to [`Intervention::keep_residual`].
    pub keep: bool,
}

/// A policy at the U-Net's sites. Every method leaves things as they are unless overridden.
pub trait Intervention {
    /// Scales, skips or reuses the Transformers of `block` for a batch of `batch` samples.
    fn attention_block(&self, _block: BlockSite, _batch: usize) -> BlockAction {
        BlockAction::default()
    }

    /// Whether [`Self::attention_block`] is all that it overrides, and asks neither to keep nor to
    /// reuse: then samples with the same input that were treated alike so far are computed once.
    fn only_scales_and_skips(&self) -> bool {
        false
    }

    /// Takes the residual (output − input, unscaled) of a Transformer that ran, where
    /// [`BlockAction::keep`] asks for it: `[samples.len(), channels, height, width]`, `samples`
    /// the positions in the batch. Guidance's two halves are samples of their own.
    fn keep_residual(&self, _site: TransformerSite, _samples: &[usize], _residual: Tensor<4>) {}

    /// The residual last kept of each of `samples`, `[samples.len(), channels, height, width]`;
    /// whoever answers [`BlockMode::Reuse`] has one.
    fn kept_residual(&self, _site: TransformerSite, _samples: &[usize]) -> Option<Tensor<4>> {
        None
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
