//! Gradients of a convolution. Tasks depend on the shape alone, so that the sums do too.

use rayon::prelude::*;

use super::unfold::unfold_group;
use super::{ConvShape, shifted};
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::matmul::{Matrix, Place, matmul, matmul_into};
use crate::cpu::scratch::Scratch;
use crate::cpu::sums::sum;

/// Positions that one matrix product of the weights' gradient sums over, about.
const GROUP_POSITIONS: usize = 1024;
/// Input channels of a task of the weights' gradient, at least.
const TASK_CHANNELS: usize = 8;

/// Gradients of `x`, `w` and `b`.
pub(crate) fn backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    shape: ConvShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    if dy.is_empty() || x.is_empty() {
        return (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; shape.output[0]]);
    }
    let dw = if shifted::suits_gradient(shape) {
        shifted::weight_gradient(x, dy, shape)
    } else {
        weight_gradient(x, dy, shape)
    };
    (input_gradient(w, dy, shape), dw, bias_gradient(dy, shape))
}

/// `dy` convolved with the weights turned round, or its products folded back where a stride leaves
/// positions out.
fn input_gradient(w: &[f32], dy: &[f32], shape: ConvShape) -> Vec<f32> {
    let ([channels, ..], [outputs, height, width]) = (shape.input, shape.output);
    let [taps_y, taps_x] = shape.kernel;
    if shape.stride == 1 && shape.padding[0] < taps_y && shape.padding[1] < taps_x {
        let padding = [taps_y - 1 - shape.padding[0], taps_x - 1 - shape.padding[1]];
        let input = [shape.batch, outputs, height, width];
        let turned = ConvShape::new(input, channels, shape.kernel, 1, padding);
        return super::forward(dy, &turned_weights(w, shape), &vec![0.0; channels], turned);
    }
    let mut dx = vec![0.0; shape.batch * shape.input_len()];
    let group = (256 / shape.positions()).max(1);
    dx.par_chunks_mut(group * shape.input_len())
        .zip(dy.par_chunks(group * shape.output_len()))
        .for_each(|(dx, dy)| {
            let count = dy.len() / outputs;
            let mut gathered = Scratch::new(dy.len());
            gather_channels(dy, shape, &mut gathered);
            let mut columns = Scratch::new(shape.depth() * count);
            matmul(
                (&mut columns, Matrix::new(shape.depth(), count)),
                (w, Matrix::new(outputs, shape.depth()).transposed()),
                (&gathered, Matrix::new(outputs, count)),
                1.0,
                false,
            );
            for (sample, dx) in dx.chunks_exact_mut(shape.input_len()).enumerate() {
                shape.fold(&columns, 0..height, dx, (sample * shape.positions(), count));
            }
        });
    dx
}

/// `[out, in, y, x]` to `[in, out, −y, −x]`.
fn turned_weights(w: &[f32], shape: ConvShape) -> Vec<f32> {
    let ([channels, ..], [outputs, ..]) = (shape.input, shape.output);
    let taps = shape.kernel[0] * shape.kernel[1];
    let mut turned = vec![0.0; w.len()];
    for (channel, rows) in turned.chunks_exact_mut(outputs * taps).enumerate() {
        for (output, filter) in rows.chunks_exact_mut(taps).enumerate() {
            let from = &w[(output * channels + channel) * taps..][..taps];
            filter.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
        }
    }
    turned
}

/// The sum over samples and positions of `dy` times the unfolded input, some channels of which a
/// task takes.
fn weight_gradient(x: &[f32], dy: &[f32], shape: ConvShape) -> Vec<f32> {
    let ([channels, height, width], [outputs, ..]) = (shape.input, shape.output);
    let (depth, taps) = (shape.depth(), shape.kernel[0] * shape.kernel[1]);
    let group = (GROUP_POSITIONS / shape.positions()).max(1);
    let mut gathered = vec![0.0; dy.len()];
    gathered
        .par_chunks_mut(group * shape.output_len())
        .zip(dy.par_chunks(group * shape.output_len()))
        .for_each(|(to, dy)| gather_channels(dy, shape, to));
    let mut dw = vec![0.0; outputs * depth];
    let out = DisjointOut::new(&mut dw);
    let block = channels.div_ceil(8).max(TASK_CHANNELS).min(channels);
    (0..channels.div_ceil(block)).into_par_iter().for_each(|task| {
        let first = task * block;
        let part = ConvShape { input: [block.min(channels - first), height, width], ..shape };
        let place = Place {
            out,
            first: first * taps,
            shape: Matrix::strided(outputs, part.depth(), depth),
        };
        let samples = x.chunks_exact(shape.input_len());
        let samples: Vec<&[f32]> =
            samples.map(|x| &x[first * height * width..][..part.input_len()]).collect();
        let groups = samples.chunks(group).zip(gathered.chunks(group * shape.output_len()));
        for (index, (samples, dy)) in groups.enumerate() {
            let count = dy.len() / outputs;
            let columns = unfold_group(samples, part, count);
            let columns = (&*columns, Matrix::new(part.depth(), count).transposed());
            // SAFETY: each task has its own input channels' weights.
            unsafe {
                matmul_into(place, (dy, Matrix::new(outputs, count)), columns, 1.0, index > 0);
            }
        }
    });
    dw
}

fn bias_gradient(dy: &[f32], shape: ConvShape) -> Vec<f32> {
    let positions = shape.positions();
    let channel = |channel: usize| {
        let samples = dy.chunks_exact(shape.output_len());
        samples.map(|dy| sum(&dy[channel * positions..][..positions], |dy| dy)).sum::<f64>() as f32
    };
    (0..shape.output[0]).into_par_iter().map(channel).collect()
}

/// `[samples, channels, positions]` to `[channels, samples · positions]`.
fn gather_channels(dy: &[f32], shape: ConvShape, gathered: &mut [f32]) {
    let (positions, count) = (shape.positions(), dy.len() / shape.output[0]);
    for (sample, dy) in dy.chunks_exact(shape.output_len()).enumerate() {
        for (channel, dy) in dy.chunks_exact(positions).enumerate() {
            gathered[channel * count + sample * positions..][..positions].copy_from_slice(dy);
        }
    }
}
