//! The Transformer over the positions of a feature map.

use burn::module::Module;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::trace::named;
use crate::{
    Attention, AttentionConfig, FeedForward, FeedForwardConfig, LayerNorm, LayerNormConfig,
};
use kernels::{group_norm, linear, linear_to_features};

/// Configuration of [`Transformer2DModel`].
#[derive(Debug, Clone)]
pub struct Transformer2DModelConfig {
    /// Channels of the feature map.
    pub channels: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Number of Transformer layers.
    pub layers: usize,
    /// Channels of the text context.
    pub cross_attention_dim: usize,
    /// Groups of the input norm.
    pub norm_num_groups: usize,
    /// Whether attention scores are computed in f32 whatever the weights' type.
    pub upcast_attention: bool,
}

/// A Transformer over the positions of a feature map, with its residual connection inside
/// (diffusers `Transformer2DModel`; the linear and the 1×1-convolution projection are one map).
#[derive(Module, Debug)]
pub struct Transformer2DModel {
    norm: GroupNorm,
    proj_in: Linear,
    transformer_blocks: Vec<BasicTransformerBlock>,
    proj_out: Linear,
}

/// Self-attention, cross-attention and feed-forward, each normalised before and added after.
#[derive(Module, Debug)]
struct BasicTransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl Transformer2DModelConfig {
    /// A module with random weights on `device`.
    pub fn init(&self, device: &Device) -> Transformer2DModel {
        let dim = self.channels;
        let attention = |cross_attention_dim| {
            AttentionConfig {
                query_dim: dim,
                cross_attention_dim,
                heads: self.heads,
                bias: false,
                upcast: self.upcast_attention,
                group_norm: None,
            }
            .init(device)
        };
        let layer_norm = || LayerNormConfig::new(dim).init(device);
        let block = |_| BasicTransformerBlock {
            norm1: layer_norm(),
            attn1: attention(dim),
            norm2: layer_norm(),
            attn2: attention(self.cross_attention_dim),
            norm3: layer_norm(),
            ff: FeedForwardConfig { dim }.init(device),
        };
        Transformer2DModel {
            // 1e-6 here, unlike the 1e-5 of the resnets.
            norm: GroupNormConfig::new(self.norm_num_groups, dim).with_epsilon(1e-6).init(device),
            proj_in: LinearConfig::new(dim, dim).init(device),
            transformer_blocks: (0..self.layers).map(block).collect(),
            proj_out: LinearConfig::new(dim, dim).init(device),
        }
    }
}

impl Transformer2DModel {
    /// The features with the residual added.
    ///
    /// # Shapes
    /// - hidden and output: `[batch, channels, height, width]`
    /// - context: `[batch, context_tokens, cross_attention_dim]`
    pub fn forward(&self, hidden: Tensor<4>, context: &Tensor<3>) -> Tensor<4> {
        self.residual(hidden.clone(), context) + hidden
    }

    /// What [`Self::forward`] adds to the features.
    ///
    /// # Shapes
    /// As of [`Self::forward`].
    pub fn residual(&self, hidden: Tensor<4>, context: &Tensor<3>) -> Tensor<4> {
        let [batch, channels, height, width] = hidden.dims();
        let mut tokens: Tensor<3> = group_norm(&self.norm, hidden)
            .reshape([batch, channels, height * width])
            .swap_dims(1, 2);
        tokens = linear(&self.proj_in, tokens);
        for (index, block) in self.transformer_blocks.iter().enumerate() {
            tokens = named("transformer_blocks", index, || block.forward(tokens, context));
        }
        linear_to_features(&self.proj_out, tokens).reshape([batch, channels, height, width])
    }
}

impl BasicTransformerBlock {
    fn forward(&self, tokens: Tensor<3>, context: &Tensor<3>) -> Tensor<3> {
        let normed = self.norm1.forward(tokens.clone());
        let tokens = named("attn1", None, || self.attn1.forward(normed, None)) + tokens;
        let normed = self.norm2.forward(tokens.clone());
        let context = Some(context.clone());
        let tokens = named("attn2", None, || self.attn2.forward(normed, context)) + tokens;
        let normed = self.norm3.forward(tokens.clone());
        named("ff", None, || self.ff.forward(normed)) + tokens
    }
}
