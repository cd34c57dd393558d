//! Embeddings of timesteps and sizes.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use kernels::{linear, silu};

/// Sinusoidal embedding of numbers (diffusers `get_timestep_embedding`), in f32 as there.
///
/// # Shapes
/// - output: `[values.len(), dim]`
pub(crate) fn sinusoidal(
    values: &[f64],
    dim: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    options: (&Device, DType),
) -> Tensor<2> {
    let half = dim / 2;
    let factor = -(10_000f64.ln()) as f32;
    let frequencies: Vec<f32> =
        (0..half).map(|i| (factor * i as f32 / (half as f32 - freq_shift as f32)).exp()).collect();
    let mut rows = Vec::with_capacity(values.len() * dim);
    for value in values {
        let angles = frequencies.iter().map(|frequency| *value as f32 * frequency);
        let sines = angles.clone().map(f32::sin);
        let cosines = angles.map(f32::cos);
        if flip_sin_to_cos {
            rows.extend(cosines.chain(sines));
        } else {
            rows.extend(sines.chain(cosines));
        }
    }
    Tensor::<2>::from_data(TensorData::new(rows, [values.len(), dim]), options)
}

/// Two linear layers with SiLU between (diffusers `TimestepEmbedding`).
#[derive(Module, Debug)]
pub(crate) struct TimestepEmbedding {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimestepEmbedding {
    pub(crate) fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            linear_1: LinearConfig::new(input, output).init(device),
            linear_2: LinearConfig::new(output, output).init(device),
        }
    }

    /// # Shapes
    /// - input: `[batch, input]`
    /// - output: `[batch, output]`
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(&self.linear_2, silu(linear(&self.linear_1, x)))
    }
}
