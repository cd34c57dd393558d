//! The Transformer of either tower.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kernels::{attention, gelu, linear, quick_gelu};
use layers::trace::named;
use layers::{LayerNorm, LayerNormConfig};
use weights::KeyMap;

/// Sizes of one Transformer.
pub(super) struct Sizes {
    pub(super) width: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) mlp_ratio: f64,
    pub(super) quick_gelu: bool,
    /// Whether a token sees only itself and those before it.
    pub(super) causal: bool,
}

/// open_clip's `Transformer`.
#[derive(Module, Debug)]
pub(super) struct Transformer {
    resblocks: Vec<ResidualAttentionBlock>,
}

#[derive(Module, Debug)]
struct ResidualAttentionBlock {
    ln_1: LayerNorm,
    attn: MultiheadAttention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

/// torch's attention with queries, keys and values from one linear layer.
#[derive(Module, Debug)]
struct MultiheadAttention {
    in_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    causal: bool,
}

#[derive(Module, Debug)]
struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
    #[module(skip)]
    quick: bool,
}

/// The files name the fused projection without a dot, which no module of ours can, and older ones
/// store the causal mask.
pub(super) fn names() -> KeyMap {
    KeyMap::new()
        .rename("**.attn.in_proj_weight", "**.attn.in_proj.weight")
        .rename("**.attn.in_proj_bias", "**.attn.in_proj.bias")
        .drop("attn_mask")
}

pub(super) fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).init(device)
}

impl Transformer {
    pub(super) fn new(sizes: &Sizes, device: &Device) -> Self {
        let width = sizes.width;
        let inner = (width as f64 * sizes.mlp_ratio) as usize;
        // The initial deviations of OpenAI's CLIP.
        let (scale, depth) = ((width as f64).powf(-0.5), (2.0 * sizes.layers as f64).powf(-0.5));
        let linear = |input, output, std| {
            LinearConfig::new(input, output)
                .with_initializer(burn::nn::Initializer::Normal { mean: 0.0, std })
                .init(device)
        };
        let block = |_| ResidualAttentionBlock {
            ln_1: norm(width, device),
            attn: MultiheadAttention {
                in_proj: linear(width, 3 * width, scale),
                out_proj: linear(width, width, scale * depth),
                heads: sizes.heads,
                causal: sizes.causal,
            },
            ln_2: norm(width, device),
            mlp: Mlp {
                c_fc: linear(width, inner, (2.0 * width as f64).powf(-0.5)),
                c_proj: linear(inner, width, scale * depth),
                quick: sizes.quick_gelu,
            },
        };
        Self { resblocks: (0..sizes.layers).map(block).collect() }
    }

    /// # Shapes
    /// - hidden and output: `[batch, tokens, width]`
    pub(super) fn forward(&self, mut hidden: Tensor<3>) -> Tensor<3> {
        for (index, block) in self.resblocks.iter().enumerate() {
            hidden = named("resblocks", index, || block.forward(hidden));
        }
        hidden
    }
}

impl ResidualAttentionBlock {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let normed = self.ln_1.forward(hidden.clone());
        let hidden = hidden + named("attn", None, || self.attn.forward(normed));
        let normed = self.ln_2.forward(hidden.clone());
        hidden + named("mlp", None, || self.mlp.forward(normed))
    }
}

impl MultiheadAttention {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let width = hidden.dims()[2];
        let joint = linear(&self.in_proj, hidden);
        let part = |index: usize| joint.clone().narrow(2, index * width, width);
        let mixed = attention(part(0), part(1), part(2), self.heads, self.causal);
        linear(&self.out_proj, mixed)
    }
}

impl Mlp {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = linear(&self.c_fc, hidden);
        linear(&self.c_proj, if self.quick { quick_gelu(inner) } else { gelu(inner) })
    }
}
