//! Multi-head attention with its projections.

use burn::module::Module;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};

use kernels::{attention, group_norm, linear};

/// Configuration of [`Attention`].
#[derive(Debug, Clone)]
pub struct AttentionConfig {
    /// Channels of the queries and of the output.
    pub query_dim: usize,
    /// Channels of the context; `query_dim` for self-attention.
    pub cross_attention_dim: usize,
    /// Number of heads; must divide `query_dim`.
    pub heads: usize,
    /// Whether `to_q`, `to_k`, `to_v` have a bias (the U-Net's have none, the VAE's have one).
    pub bias: bool,
    /// Whether the scores are computed in f32 whatever the weights' type.
    pub upcast: bool,
    /// Groups and epsilon of the norm that [`Attention::forward_map`] applies first.
    pub group_norm: Option<(usize, f64)>,
}

/// Multi-head scaled dot-product attention, `softmax(Q Kᵀ / √d) V` and an output projection
/// (diffusers `Attention`).
#[derive(Module, Debug)]
pub struct Attention {
    group_norm: Option<GroupNorm>,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Vec<Linear>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    upcast: bool,
}

impl AttentionConfig {
    /// A module with random weights on `device`.
    pub fn init(&self, device: &Device) -> Attention {
        let linear = |input: usize, bias: bool| {
            LinearConfig::new(input, self.query_dim).with_bias(bias).init(device)
        };
        Attention {
            group_norm: self.group_norm.map(|(groups, epsilon)| {
                GroupNormConfig::new(groups, self.query_dim).with_epsilon(epsilon).init(device)
            }),
            to_q: linear(self.query_dim, self.bias),
            to_k: linear(self.cross_attention_dim, self.bias),
            to_v: linear(self.cross_attention_dim, self.bias),
            to_out: vec![linear(self.query_dim, true)],
            heads: self.heads,
            upcast: self.upcast,
        }
    }
}

impl Attention {
    /// Attends from `hidden` to `context`, or to itself where there is none.
    ///
    /// # Shapes
    /// - hidden and output: `[batch, tokens, query_dim]`
    /// - context: `[batch, context_tokens, cross_attention_dim]`
    pub fn forward(&self, hidden: Tensor<3>, context: Option<Tensor<3>>) -> Tensor<3> {
        let dtype = hidden.dtype();
        let context = context.unwrap_or_else(|| hidden.clone());
        let project = |layer: &Linear, x: Tensor<3>| {
            let projected = linear(layer, x);
            if self.upcast { projected.cast(DType::F32) } else { projected }
        };
        let query = project(&self.to_q, hidden);
        let key = project(&self.to_k, context.clone());
        let value = project(&self.to_v, context);
        let mixed = attention(query, key, value, self.heads, false).cast(dtype);
        linear(&self.to_out[0], mixed)
    }

    /// Self-attention over the positions of a feature map, normalised before and added after.
    ///
    /// # Shapes
    /// - hidden and output: `[batch, query_dim, height, width]`
    pub fn forward_map(&self, hidden: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = hidden.dims();
        let normed = match &self.group_norm {
            Some(norm) => group_norm(norm, hidden.clone()),
            None => hidden.clone(),
        };
        let tokens = normed.reshape([batch, channels, height * width]).swap_dims(1, 2);
        let mixed = self.forward(tokens, None);
        mixed.swap_dims(1, 2).reshape([batch, channels, height, width]) + hidden
    }
}
