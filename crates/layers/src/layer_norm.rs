//! LayerNorm that keeps its epsilon, which burn's does not show.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use kernels::layer_norm;

/// Configuration of [`LayerNorm`].
#[derive(Debug, Clone)]
pub struct LayerNormConfig {
    /// Size of the last dimension.
    pub dim: usize,
    /// Added to the variance; torch's default is 1e-5.
    pub epsilon: f64,
}

/// `(x − mean) / √(variance + epsilon) · gamma + beta` over the last dimension (torch `LayerNorm`).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[dim]`.
    gamma: Param<Tensor<1>>,
    /// Shift, `[dim]`.
    beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNormConfig {
    /// `dim` channels and torch's epsilon.
    pub fn new(dim: usize) -> Self {
        Self { dim, epsilon: 1e-5 }
    }

    /// The same with another epsilon.
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// A module that only normalises, on `device`.
    pub fn init(&self, device: &Device) -> LayerNorm {
        LayerNorm {
            gamma: Initializer::Ones.init([self.dim], device),
            beta: Initializer::Zeros.init([self.dim], device),
            epsilon: self.epsilon,
        }
    }
}

impl LayerNorm {
    /// # Shapes
    /// - input and output: `[…, dim]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.gamma.val(), self.beta.val(), self.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::LayerNormConfig;

    #[test]
    fn forward_uses_the_epsilon_it_was_made_with() {
        let device = Device::flex();
        let x = Tensor::<2>::from_data([[-1.0, 1.0]], &device);
        for epsilon in [1e-5, 3.0] {
            let norm = LayerNormConfig::new(2).with_epsilon(epsilon).init(&device);
            let largest = norm.forward(x.clone()).max().into_scalar::<f32>();
            // The variance is 1.
            assert!((largest - (1.0 + epsilon as f32).powf(-0.5)).abs() < 1e-6, "{largest}");
        }
    }
}
