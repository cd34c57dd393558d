//! Scaled dot-product attention of f32 slices.

use rayon::prelude::*;

use super::activation::exp_in_place;
use super::disjoint::DisjointOut;
use super::matmul::{Matrix, matmul};

/// Query rows whose scores are held at a time.
const TILE_ROWS: usize = 256;

/// Sizes of an attention over `[batch, tokens, channels]` queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttentionShape {
    pub(crate) batch: usize,
    pub(crate) tokens: usize,
    pub(crate) context: usize,
    pub(crate) channels: usize,
    pub(crate) heads: usize,
    /// Whether a token sees only itself and those before it.
    pub(crate) causal: bool,
}

impl AttentionShape {
    fn head_dim(&self) -> usize {
        self.channels / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim() as f32).sqrt()
    }

    /// One head's `[rows, head_dim]` part of a `[rows, channels]` tensor.
    fn head(&self, rows: usize) -> Matrix {
        Matrix::strided(rows, self.head_dim(), self.channels)
    }

    /// Softmax of the scores of query rows `first..`, in place.
    fn softmax(&self, scores: &mut [f32], first: usize) {
        for (row, scores) in scores.chunks_exact_mut(self.context).enumerate() {
            let seen = if self.causal { (first + row + 1).min(self.context) } else { self.context };
            let (seen, hidden) = scores.split_at_mut(seen);
            hidden.fill(0.0);
            let largest = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            seen.iter_mut().for_each(|score| *score -= largest);
            exp_in_place(seen);
            let inverse = 1.0 / seen.iter().sum::<f32>();
            seen.iter_mut().for_each(|score| *score *= inverse);
        }
    }
}

/// Scaled dot-product attention, head by head and tile by tile: the scores of all heads never
/// exist at once.
pub(crate) fn forward(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { batch, tokens, context, channels, heads, .. } = shape;
    let mut out = vec![0.0; batch * tokens * channels];
    let shared = DisjointOut::new(&mut out);
    let tiles = tokens.div_ceil(TILE_ROWS);
    (0..batch * heads * tiles).into_par_iter().for_each(|task| {
        let (sample, head, tile) = (task / tiles / heads, task / tiles % heads, task % tiles);
        let first = tile * TILE_ROWS;
        let rows = (tokens - first).min(TILE_ROWS);
        let offset = head * shape.head_dim();
        let start = (sample * tokens + first) * channels + offset;
        let (k, v) = (
            &k[sample * context * channels + offset..],
            &v[sample * context * channels + offset..],
        );
        let mut scores = vec![0.0; rows * context];
        let scores_shape = Matrix::new(rows, context);
        matmul(
            (&mut scores, scores_shape),
            (&q[start..], shape.head(rows)),
            (k, shape.head(context).transposed()),
            shape.scale(),
            false,
        );
        shape.softmax(&mut scores, first);
        let head_dim = shape.head_dim();
        let mut part = vec![0.0; rows * head_dim];
        matmul(
            (&mut part, Matrix::new(rows, head_dim)),
            (&scores, scores_shape),
            (v, shape.head(context)),
            1.0,
            false,
        );
        for (row, part) in part.chunks_exact(head_dim).enumerate() {
            // SAFETY: each task writes its own rows' columns of its own head, which no other task has.
            unsafe { shared.write(start + row * channels, part) };
        }
    });
    out
}

/// Gradients of the queries, keys and values.
pub(crate) fn backward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dy: &[f32],
    shape: AttentionShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let AttentionShape { batch, tokens, context, channels, heads, .. } = shape;
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    let mut weights = vec![0.0; tokens * context];
    let mut d_scores = vec![0.0; tokens * context];
    let scores_shape = Matrix::new(tokens, context);
    let (rows, cells) = (shape.head(tokens), shape.head(context));
    for sample in 0..batch {
        for head in 0..heads {
            let row = sample * tokens * channels + head * shape.head_dim();
            let cell = sample * context * channels + head * shape.head_dim();
            matmul(
                (&mut weights, scores_shape),
                (&q[row..], rows),
                (&k[cell..], cells.transposed()),
                shape.scale(),
                false,
            );
            shape.softmax(&mut weights, 0);
            let dy = (&dy[row..], rows);
            matmul((&mut dv[cell..], cells), (&weights, scores_shape.transposed()), dy, 1.0, false);
            matmul((&mut d_scores, scores_shape), dy, (&v[cell..], cells.transposed()), 1.0, false);
            for (d, w) in d_scores.chunks_exact_mut(context).zip(weights.chunks_exact(context)) {
                let mean: f32 = d.iter().zip(w).map(|(d, w)| d * w).sum();
                d.iter_mut().zip(w).for_each(|(d, w)| *d = w * (*d - mean));
            }
            let scale = shape.scale();
            matmul(
                (&mut dq[row..], rows),
                (&d_scores, scores_shape),
                (&k[cell..], cells),
                scale,
                false,
            );
            matmul(
                (&mut dk[cell..], cells),
                (&d_scores, scores_shape.transposed()),
                (&q[row..], rows),
                scale,
                false,
            );
        }
    }
    (dq, dk, dv)
}
