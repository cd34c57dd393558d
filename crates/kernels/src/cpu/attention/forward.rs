//! Attention in one pass over the keys, with a running softmax.

use rayon::prelude::*;

use super::AttentionShape;
use super::softmax::{RunningSoftmax, scale_rows};
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::matmul::{Matrix, matmul};
use crate::cpu::scratch::Scratch;

/// Query rows of one task.
const TILE_ROWS: usize = 256;
/// Keys whose scores are held at a time.
const TILE_KEYS: usize = 1024;

/// Scaled dot-product attention, head by head, some rows of queries and some keys at a time.
///
/// A thread holds the scores of at most 256 rows and 1024 keys (1 MiB) and 256 rows of the output.
pub(crate) fn forward(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { batch, tokens, channels, heads, .. } = shape;
    let mut out = vec![0.0; batch * tokens * channels];
    let shared = DisjointOut::new(&mut out);
    let tiles = tokens.div_ceil(TILE_ROWS);
    (0..batch * heads * tiles).into_par_iter().for_each(|task| {
        let (sample, head, tile) = (task / tiles / heads, task / tiles % heads, task % tiles);
        let first = tile * TILE_ROWS;
        let rows = (tokens - first).min(TILE_ROWS);
        let offset = head * shape.head_dim();
        let start = (sample * tokens + first) * channels + offset;
        let context = sample * shape.context * channels + offset;
        let (q, k, v) = (&q[start..], &k[context..], &v[context..]);
        let part = attend(q, k, v, shape, (first, rows));
        for (row, part) in part.chunks_exact(shape.head_dim()).enumerate() {
            // SAFETY: each task writes its own rows' columns of its own head, which no other task has.
            unsafe { shared.write(start + row * channels, part) };
        }
    });
    out
}

/// Some query rows of one head, `[rows, head_dim]`.
fn attend(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    shape: AttentionShape,
    (first, rows): (usize, usize),
) -> Scratch {
    let head_dim = shape.head_dim();
    let mut part = Scratch::new(rows * head_dim);
    let mut scores = Scratch::new(rows * shape.context.min(TILE_KEYS));
    let mut softmax = RunningSoftmax::new(rows);
    for key in (0..shape.context).step_by(TILE_KEYS) {
        let keys = TILE_KEYS.min(shape.context - key);
        let seen = |row: usize| shape.seen(first + row, key, keys);
        if seen(rows - 1) == 0 {
            break;
        }
        let cells = Matrix::new(rows, keys);
        let scores = &mut scores[..rows * keys];
        let keys_shape = shape.head(keys);
        matmul(
            (scores, cells),
            (q, shape.head(rows)),
            (&k[key * shape.channels..], keys_shape.transposed()),
            shape.scale(),
            false,
        );
        softmax.add(scores, keys, seen);
        if key > 0 {
            scale_rows(&mut part, head_dim, &softmax.rescale);
        }
        matmul(
            (&mut part, Matrix::new(rows, head_dim)),
            (scores, cells),
            (&v[key * shape.channels..], keys_shape),
            1.0,
            key > 0,
        );
    }
    scale_rows(&mut part, head_dim, &softmax.inverse_sums());
    part
}
