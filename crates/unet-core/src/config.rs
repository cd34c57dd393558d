//! The configuration of a U-Net.

use crate::BlockKind;

/// Kind of one resolution level of the U-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockType {
    /// Resnets only (`DownBlock2D`, `UpBlock2D`).
    Plain,
    /// Resnets, each followed by a Transformer (`CrossAttnDownBlock2D`, `CrossAttnUpBlock2D`).
    CrossAttention,
}

/// The part of diffusers' `config.json` that shapes a `UNet2DConditionModel`.
///
/// Read it with [`UNet2DConditionConfig::from_file`]: keys whose value is not implemented, and
/// keys that are unknown, are errors that name the key.
#[derive(Debug, Clone, PartialEq)]
pub struct UNet2DConditionConfig {
    /// Height and width of the latents the model was trained on, where the file says so.
    pub sample_size: Option<[usize; 2]>,
    /// Channels of the latents.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Channels of each level, from the highest resolution to the lowest.
    pub block_out_channels: Vec<usize>,
    /// Kind of each level on the way down.
    pub down_block_types: Vec<BlockType>,
    /// Kind of each level on the way up, deepest first.
    pub up_block_types: Vec<BlockType>,
    /// Resnets of a level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// Transformer depth of each level.
    pub transformer_layers_per_block: Vec<usize>,
    /// Attention heads of each level (the files call it `attention_head_dim`).
    pub num_attention_heads: Vec<usize>,
    /// Channels of the text context.
    pub cross_attention_dim: usize,
    /// Whether `proj_in` and `proj_out` are stored as linear layers (else as 1×1 convolutions).
    pub use_linear_projection: bool,
    /// Whether attention scores are computed in f32 whatever the weights' type.
    pub upcast_attention: bool,
    /// Groups of every GroupNorm.
    pub norm_num_groups: usize,
    /// Epsilon of the resnets' and the output norm.
    pub norm_eps: f64,
    /// Whether the time embedding has its cosines first.
    pub flip_sin_to_cos: bool,
    /// Subtracted from the half dimension in the time embedding's exponent.
    pub freq_shift: f64,
    /// SDXL's `text_time` embedding: dimension of each time id and input width of its MLP.
    pub addition_embed: Option<AdditionEmbed>,
}

/// Sizes of SDXL's additional embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdditionEmbed {
    /// `addition_time_embed_dim`: channels each of the six time ids is embedded into.
    pub time_embed_dim: usize,
    /// `projection_class_embeddings_input_dim`: pooled text plus embedded time ids.
    pub input_dim: usize,
}

impl UNet2DConditionConfig {
    /// Number of resolution levels.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Whether diffusers stores the tensor `name`, `[outputs, inputs]` here, as a 1×1 convolution,
    /// `[outputs, inputs, 1, 1]`: a Transformer's `proj_in` and `proj_out` where
    /// `use_linear_projection` is false.
    pub fn is_stored_as_convolution(&self, name: &str) -> bool {
        !self.use_linear_projection
            && [".proj_in.weight", ".proj_out.weight"].iter().any(|end| name.ends_with(end))
    }

    /// Channels of the time embedding.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.block_out_channels[0]
    }

    /// The resolution level a block works at: 0 is that of the latents, each next one half of it.
    pub(crate) fn level_of(&self, kind: BlockKind) -> usize {
        match kind {
            BlockKind::Down { level } => level,
            BlockKind::Mid => self.levels() - 1,
            BlockKind::Up { level } => self.levels() - 1 - level,
        }
    }

    /// Whether a block has Transformers.
    pub(crate) fn attends(&self, kind: BlockKind) -> bool {
        match kind {
            BlockKind::Down { level } => self.down_block_types[level] == BlockType::CrossAttention,
            BlockKind::Mid => true,
            BlockKind::Up { level } => self.up_block_types[level] == BlockType::CrossAttention,
        }
    }
}
