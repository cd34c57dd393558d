//! What every scheduler class does, step by step.

use burn::tensor::Tensor;

/// Gives the fresh Gaussian noise of a step, of the sample's shape and unit variance.
pub type StepNoise<'a> = dyn FnMut(usize) -> Tensor<4> + 'a;

/// A sampler: turns the U-Net's predictions into less noisy latents, call by call.
///
/// Calls of the U-Net are named by their index, from 0 to `timesteps().len()`, and made in that
/// order; latents are `[batch, channels, height, width]`.
pub trait Scheduler: Send {
    /// Training timestep of each call, falling (PNDM repeats some, so that it has more calls than
    /// inference steps).
    fn timesteps(&self) -> &[f64];

    /// σ of each call and the end, for the classes that count in σ.
    fn sigmas(&self) -> Option<&[f32]> {
        None
    }

    /// Factor of the initial Gaussian noise.
    fn init_noise_sigma(&self) -> f64 {
        1.0
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
