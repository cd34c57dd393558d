//! A convolution with what stands before and after it in a residual block.

use rayon::prelude::*;

use super::{ConvShape, direct, winograd};
use crate::cpu::norm::{self, Affine, NormShape};

/// What is done to the input and to the output on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// Norms of the input's channels, `[batch, channels]`, and SiLU.
    pub(super) before: Option<&'a [Affine]>,
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
        let around = Around { before: Some(&affines), after: addend };
        winograd::forward(x, w, b, shape, method, around, &mut y);
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
