//! Gaussian noise of seeds: our own, and as PyTorch makes it.

mod avx_math;
mod counter;
mod mersenne;
mod philox;

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{PipelineError, Precision};
use mersenne::Arithmetic;

/// Channels, height and width of the latents to fill.
pub type InitialNoise = [usize; 3];

/// Which generator noise comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// Our own: ChaCha8, a stream of its own for every draw.
    #[default]
    Counter,
    /// `torch.randn(…, generator=torch.Generator("cpu").manual_seed(seed))`: mt19937.
    TorchCpu,
    /// The same by older releases (2.3.1, the paper's), which differ in half precision.
    TorchCpuLegacy,
    /// `torch.randn(…, generator=torch.Generator("cuda").manual_seed(seed))`: Philox 4×32-10.
    TorchCuda,
}

/// The noise of a batch: one generator per seed.
///
/// A sample depends on its seed, its shape and the number of the draw alone, never on its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoiseSource {
    /// The generator.
    pub kind: NoiseKind,
    /// The type it draws in (in a pipeline of diffusers that of the text embeddings); our own
    /// generator always draws in f32.
    pub dtype: Precision,
    /// A seed per sample.
    pub seeds: Vec<u64>,
}

impl NoiseSource {
    /// Our own generator.
    pub fn new(seeds: &[u64]) -> Self {
        Self { kind: NoiseKind::Counter, dtype: Precision::F32, seeds: seeds.to_vec() }
    }

    /// The `draw`th noise of every seed: 0 for the initial latents, then one for each step that
    /// asks for fresh noise.
    ///
    /// # Shapes
    /// - output: `[seeds.len(), channels, height, width]`, unit variance, f32
    pub fn draw(&self, draw: usize, shape: InitialNoise, device: &Device) -> Tensor<4> {
        let count = shape.iter().product();
        let one = |seed: &u64| match self.kind {
            NoiseKind::Counter => counter::normals(*seed, draw, count),
            NoiseKind::TorchCpu => {
                mersenne::normals(*seed, draw, count, self.dtype, Arithmetic::Single)
            }
            NoiseKind::TorchCpuLegacy => {
                mersenne::normals(*seed, draw, count, self.dtype, Arithmetic::Stored)
            }
            NoiseKind::TorchCuda => philox::normals(*seed, draw, count, self.dtype),
        };
        let values: Vec<f32> = self.seeds.iter().flat_map(one).collect();
        let [channels, height, width] = shape;
        let shape = [self.seeds.len(), channels, height, width];
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }
}

impl std::str::FromStr for NoiseKind {
    type Err = PipelineError;

    /// Reads `counter`, `torch-cpu`, `torch-cpu-legacy` or `torch-cuda`.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        match text {
            "counter" => Ok(Self::Counter),
            "torch-cpu" => Ok(Self::TorchCpu),
            "torch-cpu-legacy" => Ok(Self::TorchCpuLegacy),
            "torch-cuda" => Ok(Self::TorchCuda),
            _ => Err(PipelineError::Request(format!(
                "expected the noise `counter`, `torch-cpu`, `torch-cpu-legacy` or `torch-cuda`, \
                 found `{text}`"
            ))),
        }
    }
}

/// The initial noise of our own generator, one sample per seed.
///
/// # Shapes
/// - output: `[seeds.len(), channels, height, width]`
pub fn initial_noise(seeds: &[u64], shape: InitialNoise, device: &Device) -> Tensor<4> {
    NoiseSource::new(seeds).draw(0, shape, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draw_sample_is_the_same_in_every_batch() {
        let device = Device::flex();
        for kind in [
            NoiseKind::Counter,
            NoiseKind::TorchCpu,
            NoiseKind::TorchCpuLegacy,
            NoiseKind::TorchCuda,
        ] {
            let source = |seeds: &[u64]| NoiseSource { kind, ..NoiseSource::new(seeds) };
            for draw in 0..3 {
                let both = source(&[7, 42]).draw(draw, [4, 3, 5], &device);
                let one = source(&[42]).draw(draw, [4, 3, 5], &device);
                assert_eq!(both.narrow(0, 1, 1).into_data(), one.into_data());
            }
        }
    }
}
