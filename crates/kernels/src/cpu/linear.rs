//! Affine maps of the last dimension.

use rayon::prelude::*;

use super::matmul::{Matrix, matmul};

/// Rows computed by one matrix product where a sample has fewer.
const GROUP_ROWS: usize = 16;
/// Rows computed by one matrix product where a sample has more.
const TILE_ROWS: usize = 1024;

/// `x · w + b` for `samples` samples of `rows` rows each.
///
/// `x` is `[samples · rows, input]`, `w` is `[input, output]`.
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
    // Tiles begin anew in every sample (or group of samples), so that their sizes are those of a
    // batch of one.
    let group = if rows >= GROUP_ROWS { rows } else { rows * GROUP_ROWS.div_ceil(rows) };
    let tile = group.min(TILE_ROWS);
    let one_group = |x: &[f32], y: &mut [f32]| {
        let rows = y.len() / output;
        for (y, x) in y.chunks_mut(tile * output).zip(x.chunks(tile * input)) {
            let rows = y.len() / output;
            y.chunks_exact_mut(output).for_each(|row| row.copy_from_slice(b));
            matmul(
                (y, Matrix::new(rows, output)),
                (x, Matrix::new(rows, input)),
                (w, Matrix::new(input, output)),
                1.0,
                true,
            );
        }
        debug_assert!(rows <= group);
    };
    y.par_chunks_mut(group * output).zip(x.par_chunks(group * input)).for_each(|(y, x)| {
        let missing = group - y.len() / output;
        if missing == 0 || rows >= GROUP_ROWS {
            one_group(x, y);
        } else {
            // The last group is filled up, so that its product has the size of every other.
            let mut padded = x.to_vec();
            padded.resize(group * input, 0.0);
            let mut out = vec![0.0; group * output];
            one_group(&padded, &mut out);
            y.copy_from_slice(&out[..y.len()]);
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
