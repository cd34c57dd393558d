//! Gradients of a convolution.

use super::ConvShape;
use super::unfold::unfold_group;
use crate::cpu::matmul::{Matrix, matmul};

/// Gradients of `x`, `w` and `b`.
pub(crate) fn backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    shape: ConvShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let positions = shape.positions();
    let mut dx = vec![0.0; x.len()];
    let mut dw = vec![0.0; w.len()];
    let mut db = vec![0.0; shape.output[0]];
    for sample in dy.chunks_exact(shape.output_len()) {
        for (sum, values) in db.iter_mut().zip(sample.chunks_exact(positions)) {
            *sum += values.iter().sum::<f32>();
        }
    }
    // Small samples go together, so that the products are wide enough to be fast.
    let group = (256 / positions.max(1)).max(1);
    let weights = Matrix::new(shape.output[0], shape.depth());
    let groups = x
        .chunks(group * shape.input_len())
        .zip(dy.chunks(group * shape.output_len()))
        .zip(dx.chunks_mut(group * shape.input_len()));
    for ((x, dy), dx) in groups {
        let count = x.len() / shape.input_len() * positions;
        let mut columns = unfold_group(x, shape, count);
        let columns_shape = Matrix::new(shape.depth(), count);
        let gathered = gather_channels(dy, shape, count);
        let dy_shape = Matrix::new(shape.output[0], count);
        let columns_t = columns_shape.transposed();
        matmul((&mut dw, weights), (&gathered, dy_shape), (&columns, columns_t), 1.0, true);
        let weights_t = weights.transposed();
        matmul((&mut columns, columns_shape), (w, weights_t), (&gathered, dy_shape), 1.0, false);
        for (sample, dx) in dx.chunks_exact_mut(shape.input_len()).enumerate() {
            shape.fold(&columns, 0..shape.output[1], dx, (sample * positions, count));
        }
    }
    (dx, dw, db)
}

/// `[samples, channels, positions]` to `[channels, samples · positions]`.
fn gather_channels(dy: &[f32], shape: ConvShape, count: usize) -> Vec<f32> {
    let positions = shape.positions();
    let mut gathered = vec![0.0; shape.output[0] * count];
    for (sample, dy) in dy.chunks_exact(shape.output_len()).enumerate() {
        for (channel, dy) in dy.chunks_exact(positions).enumerate() {
            gathered[channel * count + sample * positions..][..positions].copy_from_slice(dy);
        }
    }
    gathered
}
