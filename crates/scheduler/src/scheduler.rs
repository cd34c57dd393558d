//! What every scheduler class does, step by step.

use burn::tensor::Tensor;

/// Gives the fresh Gaussian noise of a step, of the sample's shape and unit variance.
pub type StepNoise<'a> = dyn FnMut(usize) -> Tensor<4> + 'a;

/// A sampler: turns the U-Net's predictions into less noisy latents, call by call.
///
/// Calls of the U-Net are named by their index, from 0 to `timesteps().len()`, and made in that
/// order; latents are `[batch, channels, height, width]`.
pub trait Scheduler: Send {
    /// Training timestep of each call, falling (PNDM and Heun repeat some, so that they have more
    /// calls than inference steps; those of DDIM's inversion rise).
    fn timesteps(&self) -> &[f64];

    /// σ of each call and the end, for the classes that count in σ.
    fn sigmas(&self) -> Option<&[f32]> {
        None
    }

    /// Factor of the initial Gaussian noise.
    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    /// Calls of an inference step, by which steps at the beginning are left out; diffusers' `order`.
    fn calls_per_step(&self) -> usize {
        1
    }

    /// Clean latents with noise of unit variance added, as they are before the call at `index`; `None`
    /// where the class can only begin with its first call.
    fn noised(&self, _clean: Tensor<4>, _noise: Tensor<4>, _index: usize) -> Option<Tensor<4>> {
        None
    }

    /// What the U-Net is given at `index`: the sample itself, unless the class counts in σ.
    fn scale_model_input(&self, sample: Tensor<4>, _index: usize) -> Tensor<4> {
        sample
    }

    /// The next, less noisy sample. `noise` is called at most once, by the classes that add fresh
    /// noise.
    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        noise: &mut StepNoise<'_>,
    ) -> Tensor<4>;
}
