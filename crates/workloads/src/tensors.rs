//! Random inputs.

use burn::tensor::{Device, Distribution, Tensor};

/// Standard normal values.
pub fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::<D>::random(shape, Distribution::Normal(0.0, 1.0), device)
}
