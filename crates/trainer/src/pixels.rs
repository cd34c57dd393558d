//! The pictures of examples as one tensor.

use std::borrow::Borrow;

use burn::tensor::{Device, Tensor, TensorData};
use pictures::Example;

/// The pixels of `examples`, pictures of `side` pixels, as `[examples, 3, side, side]` in [-1, 1].
pub(crate) fn pixels<E: Borrow<Example>>(
    examples: &[E],
    side: usize,
    device: &Device,
) -> Tensor<4> {
    let values: Vec<f32> = examples.iter().flat_map(|e| e.borrow().pixels.clone()).collect();
    Tensor::from_data(TensorData::new(values, [examples.len(), 3, side, side]), device)
}
