//! Convolutions as matrix products of unfolded inputs.

use rayon::prelude::*;

use super::ConvShape;
use super::unfold::unfold_group;
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::matmul::{Matrix, matmul};
use crate::cpu::scratch::Scratch;

/// Convolution by products with the unfolded input, 4 MiB of which exist at a time in a thread.
pub(super) fn forward(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape, y: &mut [f32]) {
    let (group, tile_rows) = shape.tiling();
    if group > 1 {
        y.par_chunks_mut(group * shape.output_len())
            .zip(x.par_chunks(group * shape.input_len()))
            .for_each(|(y, x)| forward_group(x, w, b, shape, group, y));
    } else {
        let (positions, width) = (shape.positions(), shape.output[2]);
        let tiles = shape.output[1].div_ceil(tile_rows);
        let out = DisjointOut::new(y);
        (0..shape.batch * tiles).into_par_iter().for_each(|task| {
            let (sample, tile) = (task / tiles, task % tiles);
            let rows = tile * tile_rows..((tile + 1) * tile_rows).min(shape.output[1]);
            let x = &x[sample * shape.input_len()..][..shape.input_len()];
            let start = sample * shape.output_len() + rows.start * width;
            let count = rows.len() * width;
            let part = forward_rows(x, w, b, shape, rows);
            for (channel, part) in part.chunks_exact(count).enumerate() {
                // SAFETY: tasks write disjoint rows of disjoint samples.
                unsafe { out.write(start + channel * positions, part) };
            }
        });
    }
}

/// Some output rows of one sample, `[out, rows · width]`.
fn forward_rows(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    shape: ConvShape,
    rows: std::ops::Range<usize>,
) -> Scratch {
    let (positions, width) = (shape.positions(), shape.output[2]);
    let count = rows.len() * width;
    let mut y = Scratch::new(shape.output[0] * count);
    y.chunks_exact_mut(count).zip(b).for_each(|(y, bias)| y.fill(*bias));
    let out = Matrix::new(shape.output[0], count);
    let weights = Matrix::new(shape.output[0], shape.depth());
    if shape.is_pointwise() {
        let input = Matrix::strided(shape.depth(), count, positions);
        matmul((&mut y, out), (w, weights), (&x[rows.start * width..], input), 1.0, true);
    } else {
        let mut columns = Scratch::new(shape.depth() * count);
        columns.fill(0.0);
        shape.unfold(x, rows, &mut columns, (0, count));
        let input = Matrix::new(shape.depth(), count);
        matmul((&mut y, out), (w, weights), (&columns, input), 1.0, true);
    }
    y
}

/// Several small samples in one product, always of the full group's size.
fn forward_group(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape, group: usize, y: &mut [f32]) {
    let positions = shape.positions();
    let count = group * positions;
    let samples: Vec<&[f32]> = x.chunks_exact(shape.input_len()).collect();
    let columns = unfold_group(&samples, shape, count);
    let mut out = Scratch::new(shape.output[0] * count);
    matmul(
        (&mut out, Matrix::new(shape.output[0], count)),
        (w, Matrix::new(shape.output[0], shape.depth())),
        (&columns, Matrix::new(shape.depth(), count)),
        1.0,
        false,
    );
    for (sample, y) in y.chunks_exact_mut(shape.output_len()).enumerate() {
        for (channel, y) in y.chunks_exact_mut(positions).enumerate() {
            let from = &out[channel * count + sample * positions..][..positions];
            y.iter_mut().zip(from).for_each(|(y, value)| *y = value + b[channel]);
        }
    }
}
