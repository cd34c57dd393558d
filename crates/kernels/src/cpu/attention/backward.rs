//! Gradients of attention.

use rayon::prelude::*;

use super::AttentionShape;
use super::softmax::{RunningSoftmax, scale_rows};
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::matmul::{Matrix, Place, matmul, matmul_into};
use crate::cpu::scratch::Scratch;
use crate::cpu::sums::dot;

/// Gradients of the queries, keys and values, a task for each head of each sample.
///
/// A thread holds two matrices of `tokens · context` elements.
pub(crate) fn backward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dy: &[f32],
    shape: AttentionShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let AttentionShape { batch, tokens, context, channels, heads, .. } = shape;
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    let outputs = [DisjointOut::new(&mut dq), DisjointOut::new(&mut dk), DisjointOut::new(&mut dv)];
    (0..batch * heads).into_par_iter().for_each(|task| {
        let (sample, head) = (task / heads, task % heads);
        let row = sample * tokens * channels + head * shape.head_dim();
        let cell = sample * context * channels + head * shape.head_dim();
        let inputs = [&q[row..], &k[cell..], &v[cell..], &dy[row..]];
        // SAFETY: every task has its own sample's columns of its own head.
        unsafe { backward_head(inputs, shape, outputs, [row, cell]) };
    });
    (dq, dk, dv)
}

/// Gradients of one head's queries from element `row` on, and of its keys and values from `cell` on.
///
/// # Safety
/// No other task may write or read these elements of the outputs meanwhile.
unsafe fn backward_head(
    [q, k, v, dy]: [&[f32]; 4],
    shape: AttentionShape,
    [dq, dk, dv]: [DisjointOut<'_>; 3],
    [row, cell]: [usize; 2],
) {
    let AttentionShape { tokens, context, .. } = shape;
    let (rows, cells) = (shape.head(tokens), shape.head(context));
    let scores = Matrix::new(tokens, context);
    let mut weights = Scratch::new(tokens * context);
    let mut d_scores = Scratch::new(tokens * context);
    matmul((&mut weights, scores), (q, rows), (k, cells.transposed()), shape.scale(), false);
    let mut softmax = RunningSoftmax::new(tokens);
    softmax.add(&mut weights, context, |row| shape.seen(row, 0, context));
    scale_rows(&mut weights, context, &softmax.inverse_sums());
    let place = |out, first, shape| Place { out, first, shape };
    // SAFETY: as the caller promises.
    unsafe {
        let weights_t = (&*weights, scores.transposed());
        matmul_into(place(dv, cell, cells), weights_t, (dy, rows), 1.0, false);
    }
    matmul((&mut d_scores, scores), (dy, rows), (v, cells.transposed()), 1.0, false);
    for (d, w) in d_scores.chunks_exact_mut(context).zip(weights.chunks_exact(context)) {
        let mean = dot(d, w);
        d.iter_mut().zip(w).for_each(|(d, w)| *d = w * (*d - mean));
    }
    // SAFETY: as the caller promises.
    unsafe {
        let scale = shape.scale();
        matmul_into(place(dq, row, rows), (&d_scores, scores), (k, cells), scale, false);
        let d_scores_t = (&*d_scores, scores.transposed());
        matmul_into(place(dk, cell, cells), d_scores_t, (q, rows), scale, false);
    }
}
