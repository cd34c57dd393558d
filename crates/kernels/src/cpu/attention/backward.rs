//! Gradients of attention.

use super::AttentionShape;
use super::softmax::{RunningSoftmax, scale_rows};
use crate::cpu::matmul::{Matrix, matmul};

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
            let mut softmax = RunningSoftmax::new(tokens);
            softmax.add(&mut weights, context, |row| shape.seen(row, 0, context));
            scale_rows(&mut weights, context, &softmax.inverse_sums());
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
