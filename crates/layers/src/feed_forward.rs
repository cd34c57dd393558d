//! The Transformer's feed-forward part.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use kernels::{linear, linear_geglu};

/// Configuration of [`FeedForward`].
#[derive(Debug, Clone)]
pub struct FeedForwardConfig {
    /// Channels in and out; the inner width is four times as many.
    pub dim: usize,
}

/// The Transformer's feed-forward part: GEGLU and a linear layer (diffusers `FeedForward`).
#[derive(Module, Debug)]
pub struct FeedForward {
    net: FeedForwardNet,
}

/// diffusers keeps the layers at positions 0 and 2 of a list; position 1 is the dropout.
#[derive(Module, Debug)]
struct FeedForwardNet {
    _0: Geglu,
    _2: Linear,
}

#[derive(Module, Debug)]
struct Geglu {
    proj: Linear,
}

impl FeedForwardConfig {
    /// A module with random weights on `device`.
    pub fn init(&self, device: &Device) -> FeedForward {
        let inner = 4 * self.dim;
        FeedForward {
            net: FeedForwardNet {
                _0: Geglu { proj: LinearConfig::new(self.dim, 2 * inner).init(device) },
                _2: LinearConfig::new(inner, self.dim).init(device),
            },
        }
    }
}

impl FeedForward {
    /// # Shapes
    /// - input and output: `[batch, tokens, dim]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        linear(&self.net._2, linear_geglu(&self.net._0.proj, hidden))
    }
}
