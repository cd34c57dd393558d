//! diffusers' noise schedulers in burn: DDIM and Euler, read from a pipeline's own configuration.

#![warn(missing_docs)]

mod config;
mod ddim;
mod error;
mod euler;
mod noise;
mod spacing;

pub use config::{BetaSchedule, PredictionType, SchedulerConfig, SchedulerKind, TimestepSpacing};
pub use ddim::Ddim;
pub use error::SchedulerError;
pub use euler::Euler;
pub use noise::NoiseSchedule;

use burn::tensor::Tensor;

/// A sampler: turns the U-Net's predictions into less noisy latents, step by step.
///
/// Steps are named by their index, from 0 to `timesteps().len()`; latents are
/// `[batch, channels, height, width]`.
pub trait Scheduler: Send {
    /// Training timestep of each inference step, falling.
    fn timesteps(&self) -> &[f64];

    /// Factor of the initial Gaussian noise.
    fn init_noise_sigma(&self) -> f64;

    /// What the U-Net is given at `index`.
    fn scale_model_input(&self, sample: Tensor<4>, index: usize) -> Tensor<4>;

    /// The next, less noisy sample.
    fn step(&mut self, model_output: Tensor<4>, index: usize, sample: Tensor<4>) -> Tensor<4>;
}
