//! A convolution with what stands before and after it in a residual block.

use rayon::prelude::*;

use super::{ConvShape, direct, shifted, winograd};
use crate::cpu::norm::{self, Affine, NormShape};

/// What is done to the input and to the output on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// Norms of the input's channels, `[batch, channels]`, and SiLU.
    pub(super) before: Option<&'a [Affine]>,
    /// Whether the input is yet to be doubled in height and width, each value repeated.
    pub(super) doubled: bool,
    /// Added to the output.
    pub(super) after: Addend<'a>,
}

/// What is added to an output `[batch, channels, height, width]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Addend<'a> {
    /// Nothing.
    #[default]
    None,
    /// A value for every channel, `[batch, channels]`.
    Channels(&'a [f32]),
    /// A value for every position, as the output.
    Positions(&'a [f32]),
}

/// Convolution of `silu(group_norm(x))` with `w` plus `b` plus `addend`; the normalised input is
/// never stored where the convolution is transformed anyway.
pub(crate) fn normalised(
    x: &[f32],
    (gamma, beta, norm): (&[f32], &[f32], NormShape),
    w: &[f32],
    b: &[f32],
    addend: Addend<'_>,
    shape: ConvShape,
) -> Vec<f32> {
    let mut y = vec![0.0; shape.batch * shape.output_len()];
    if y.is_empty() {
        return y;
    }
    if let Some(method) = winograd::Method::of(shape) {
        let affines = norm.affines(x, gamma, beta);
        let around = Around { before: Some(&affines), after: addend, ..Around::default() };
        winograd::forward(x, w, b, shape, method, around, &mut y);
        return y;
    }
    if shifted::suits(shape) {
        let affines = norm.affines(x, gamma, beta);
        let around = Around { before: Some(&affines), after: addend, ..Around::default() };
        shifted::forward(x, w, b, shape, around, &mut y);
        return y;
    }
    let x = norm::forward(x, gamma, beta, norm);
    direct::forward(&x, w, b, shape, &mut y);
    let positions = shape.positions();
    match addend {
        Addend::None => {}
        Addend::Channels(values) => {
            y.par_chunks_mut(positions).zip(values).with_min_len(16).for_each(|(y, value)| {
                y.iter_mut().for_each(|y| *y += value);
            });
        }
        Addend::Positions(values) => {
            let chunk = 1 << 14;
            y.par_chunks_mut(chunk).zip(values.par_chunks(chunk)).for_each(|(y, values)| {
                y.iter_mut().zip(values).for_each(|(y, value)| *y += value);
            });
        }
    }
    y
}

/// Convolution of `x`, doubled in height and width by repeating each value, with `w` plus `b`;
/// `shape` is that of the doubled input, which is never stored where it is transformed anyway.
pub(crate) fn doubled(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape) -> Vec<f32> {
    let mut y = vec![0.0; shape.batch * shape.output_len()];
    if y.is_empty() {
        return y;
    }
    if let Some(method) = winograd::Method::of(shape) {
        let around = Around { doubled: true, ..Around::default() };
        winograd::forward(x, w, b, shape, method, around, &mut y);
        return y;
    }
    if shifted::suits(shape) {
        let around = Around { doubled: true, ..Around::default() };
        shifted::forward(x, w, b, shape, around, &mut y);
        return y;
    }
    let width = shape.input[2];
    let mut enlarged = vec![0.0; shape.batch * shape.input_len()];
    enlarged.par_chunks_mut(2 * width).zip(x.par_chunks(width / 2)).with_min_len(64).for_each(
        |(rows, x)| {
            let (first, second) = rows.split_at_mut(width);
            double_row(first, x);
            second.copy_from_slice(first);
        },
    );
    direct::forward(&enlarged, w, b, shape, &mut y);
    y
}

/// Repeats each value.
#[inline(always)]
pub(super) fn double_row(row: &mut [f32], x: &[f32]) {
    for (pair, value) in row.chunks_exact_mut(2).zip(x) {
        pair.fill(*value);
    }
}
