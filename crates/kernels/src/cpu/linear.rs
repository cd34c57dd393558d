//! Affine maps of the last dimension.

use rayon::prelude::*;

use super::disjoint::DisjointOut;
use super::matmul::{Matrix, Place, matmul, matmul_into};

/// Rows computed by one matrix product where a sample has fewer.
const GROUP_ROWS: usize = 16;
/// Rows computed by one matrix product where a sample has more.
const TILE_ROWS: usize = 256;
/// Products a sample's rows are computed in at least, as far as columns suffice.
const SAMPLE_TASKS: usize = 8;
/// Columns computed by one matrix product at least, where there are as many.
const TILE_COLUMNS: usize = 256;

/// `x · w + b` for `samples` samples of `rows` rows each.
///
/// `x` is `[samples · rows, input]`, `w` is `[input, output]`.
///
/// Rows are computed in tiles that begin anew in every sample, or group of small samples, so that
/// the products' sizes are those of a batch of one.
pub(crate) fn forward(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    rows: usize,
    [input, output]: [usize; 2],
) -> Vec<f32> {
    let total = x.len() / input.max(1);
    let mut y = vec![0.0; total * output];
    if y.is_empty() {
        return y;
    }
    let group = if rows >= GROUP_ROWS { rows } else { rows * GROUP_ROWS.div_ceil(rows) };
    let tile = group.min(TILE_ROWS);
    let tiles = group.div_ceil(tile);
    let column_tiles = SAMPLE_TASKS.div_ceil(tiles).min(output / TILE_COLUMNS).max(1);
    let width = output.div_ceil(column_tiles).next_multiple_of(32);
    let column_tiles = output.div_ceil(width);
    let groups = total.div_ceil(group);
    let out = DisjointOut::new(&mut y);
    (0..groups * tiles * column_tiles).into_par_iter().for_each(|task| {
        let (column, row) = (task % column_tiles * width, task / column_tiles);
        let (group_start, tile_start) = (row / tiles * group, row % tiles * tile);
        let first = group_start + tile_start;
        let count = tile.min(group - tile_start);
        let columns = width.min(output - column);
        let present = count.min(total - first);
        let weights = (&w[column..], Matrix::strided(input, columns, output));
        let x = &x[first * input..(first + present) * input];
        let bias = &b[column..column + columns];
        if present == count {
            let shape = Matrix::strided(count, columns, output);
            let place = Place { out, first: first * output + column, shape };
            for row in 0..count {
                // SAFETY: tasks have different rows or different columns.
                unsafe { out.write(place.first + row * output, bias) };
            }
            // SAFETY: as above.
            unsafe { matmul_into(place, (x, Matrix::new(count, input)), weights, 1.0, true) };
            return;
        }
        // The last group is filled up, so that its product has the size of every other.
        let mut padded = x.to_vec();
        padded.resize(count * input, 0.0);
        let mut part = bias.repeat(count);
        matmul(
            (&mut part, Matrix::new(count, columns)),
            (&padded, Matrix::new(count, input)),
            weights,
            1.0,
            true,
        );
        for (row, part) in part.chunks_exact(columns).take(present).enumerate() {
            // SAFETY: as above.
            unsafe { out.write((first + row) * output + column, part) };
        }
    });
    y
}

/// Gradients of `x`, `w` and `b`.
pub(crate) fn backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    [input, output]: [usize; 2],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let rows = dy.len() / output.max(1);
    let mut dx = vec![0.0; rows * input];
    let mut dw = vec![0.0; input * output];
    let mut db = vec![0.0; output];
    let (x_shape, w_shape) = (Matrix::new(rows, input), Matrix::new(input, output));
    let dy_shape = Matrix::new(rows, output);
    matmul((&mut dx, x_shape), (dy, dy_shape), (w, w_shape.transposed()), 1.0, false);
    matmul((&mut dw, w_shape), (x, x_shape.transposed()), (dy, dy_shape), 1.0, false);
    for row in dy.chunks_exact(output) {
        db.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    (dx, dw, db)
}
