use std::path::Path;

use serde_json::Value;

use crate::UNetError;
use crate::config_json::Keys;

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
/// Read it with [`UNet2DConditionConfig::from_json`]: keys whose value is not implemented, and
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
    /// Reads a diffusers `config.json`.
    ///
    /// # Errors
    /// As [`Self::from_json`], and [`UNetError::Io`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, UNetError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| UNetError::Io { path: path.into(), source })?;
        Self::from_json(&text)
    }

    /// Reads the text of a diffusers `config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`UNetError::Config`], [`UNetError::Unimplemented`] or [`UNetError::UnknownKey`], each
    /// naming the key.
    pub fn from_json(text: &str) -> Result<Self, UNetError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| UNetError::Config(error.to_string()))?;
        let Value::Object(object) = value else {
            return Err(UNetError::Config("expected a JSON object".into()));
        };
        let config = Keys::new(object).read()?;
        config.validate()?;
        Ok(config)
    }

    /// Number of resolution levels.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Channels of the time embedding.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.block_out_channels[0]
    }

    /// Number `m` of attention blocks that can be re-weighted.
    pub fn num_attention_blocks(&self) -> usize {
        let count = |types: &[BlockType]| {
            types.iter().filter(|kind| **kind == BlockType::CrossAttention).count()
        };
        count(&self.down_block_types) + 1 + count(&self.up_block_types)
    }

    fn validate(&self) -> Result<(), UNetError> {
        let levels = self.levels();
        let fail = |text: String| Err(UNetError::Config(text));
        if levels == 0 || self.layers_per_block == 0 {
            return fail(
                "`block_out_channels` and `layers_per_block` must not be empty or 0".into(),
            );
        }
        for (key, found) in [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
            ("transformer_layers_per_block", self.transformer_layers_per_block.len()),
            ("attention_head_dim", self.num_attention_heads.len()),
        ] {
            if found != levels {
                return fail(format!("`{key}` has {found} entries, `block_out_channels` {levels}"));
            }
        }
        if self.in_channels == 0 || self.out_channels == 0 || self.cross_attention_dim == 0 {
            return fail(
                "`in_channels`, `out_channels`, `cross_attention_dim` must be above 0".into(),
            );
        }
        for (level, channels) in self.block_out_channels.iter().enumerate() {
            if self.norm_num_groups == 0 || channels % self.norm_num_groups != 0 || *channels == 0 {
                return fail(format!(
                    "`norm_num_groups` = {} does not divide `block_out_channels[{level}]` = {channels}",
                    self.norm_num_groups
                ));
            }
            let heads = self.num_attention_heads[level];
            if heads == 0 || channels % heads != 0 {
                return fail(format!(
                    "`attention_head_dim[{level}]` = {heads} (a number of heads) does not divide \
                     `block_out_channels[{level}]` = {channels}"
                ));
            }
        }
        if !self.block_out_channels[0].is_multiple_of(2) {
            return fail("`block_out_channels[0]` must be even for the time embedding".into());
        }
        Ok(())
    }
}
