//! The input's tiles, transformed: `Bᵀ d B`.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::Unit;
use super::transforms::{Filtering, input_square};
use crate::cpu::activation::silu_vector;
use crate::cpu::conv::ConvShape;
use crate::cpu::conv::fused::double_row;
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::norm::Affine;
use crate::cpu::scratch::Scratch;
use crate::cpu::simd::{lanes, load, store};

/// Transforms one channel of the tiles of `unit`, to `[point, channel, tile]` in `out`.
pub(super) struct TransformInput<'a, F> {
    pub(super) x: &'a [f32],
    pub(super) shape: ConvShape,
    pub(super) unit: Unit,
    pub(super) channel: usize,
    /// The channel's norm, where the input is yet to be normalised and put through SiLU.
    pub(super) norm: Option<Affine>,
    /// Whether `x` is yet to be doubled in height and width.
    pub(super) doubled: bool,
    pub(super) out: DisjointOut<'a>,
    pub(super) filtering: PhantomData<F>,
}

impl<F: Filtering> WithSimd for TransformInput<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, shape, unit, channel, norm, doubled, out, .. } = self;
        let [channels, height, width] = shape.input;
        let scale = if doubled { 2 } else { 1 };
        let (stored, size) = (width / scale, (height / scale) * (width / scale));
        let x = &x[(unit.sample * channels + channel) * size..][..size];
        let (lanes, across) = (lanes::<S>(), unit.across);
        // Every `OUTPUTS`th value of a row, for each place in a tile, with room for whole vectors.
        let pitch = across.next_multiple_of(lanes) + lanes;
        let mut phases = Scratch::new(F::POINTS * F::OUTPUTS * pitch);
        let mut line = Scratch::new(F::POINTS * F::POINTS * pitch);
        let mut padded = Scratch::new(pitch * F::OUTPUTS);
        padded.fill(0.0);
        for tile_row in 0..unit.down {
            let top = (unit.first_row + tile_row) * F::OUTPUTS;
            for row in 0..F::POINTS {
                let phases = &mut phases[row * F::OUTPUTS * pitch..][..F::OUTPUTS * pitch];
                match (top + row).checked_sub(shape.padding[0]).filter(|y| *y < height) {
                    Some(y) => {
                        let x = &x[y / scale * stored..][..stored];
                        let row = &mut padded[shape.padding[1]..][..width];
                        match norm {
                            None if doubled => double_row(row, x),
                            Some(norm) => normalise(simd, row, x, norm),
                            None => row.copy_from_slice(x),
                        }
                        for (tile, values) in padded.chunks_exact(F::OUTPUTS).enumerate() {
                            for (phase, value) in values.iter().enumerate() {
                                phases[phase * pitch + tile] = *value;
                            }
                        }
                    }
                    None => phases.fill(0.0),
                }
            }
            for tile in (0..across).step_by(lanes) {
                let zero = simd.splat_f32s(0.0);
                let mut square = [[zero; 6]; 6];
                for (row, values) in square.iter_mut().enumerate().take(F::POINTS) {
                    for (column, value) in values.iter_mut().enumerate().take(F::POINTS) {
                        let (phase, next) = (column % F::OUTPUTS, column / F::OUTPUTS);
                        let start = (row * F::OUTPUTS + phase) * pitch + tile + next;
                        *value = load::<S>(&phases[start..]);
                    }
                }
                let square = input_square::<S, F>(simd, square);
                for (row, values) in square.iter().enumerate().take(F::POINTS) {
                    for (column, value) in values.iter().enumerate().take(F::POINTS) {
                        store::<S>(&mut line[(row * F::POINTS + column) * pitch + tile..], *value);
                    }
                }
            }
            for (point, line) in line.chunks_exact(pitch).enumerate() {
                let start = (point * channels + channel) * unit.tiles() + tile_row * across;
                // SAFETY: every channel is transformed by one task.
                unsafe { out.write(unit.start + start, &line[..across]) };
            }
        }
    }
}

/// `silu((x − mean) · scale + shift)` of the first values of `x`.
#[inline(always)]
fn normalise<S: Simd>(simd: S, row: &mut [f32], x: &[f32], norm: Affine) {
    let mut vectors = row.chunks_exact_mut(lanes::<S>());
    let mut inputs = x.chunks_exact(lanes::<S>());
    for (vector, x) in (&mut vectors).zip(&mut inputs) {
        store::<S>(vector, normalised::<S>(simd, load::<S>(x), norm));
    }
    let rest = vectors.into_remainder();
    let mut last = [0.0; 16];
    last[..rest.len()].copy_from_slice(inputs.remainder());
    let value = normalised::<S>(simd, load::<S>(&last), norm);
    store::<S>(&mut last, value);
    rest.copy_from_slice(&last[..rest.len()]);
}

#[inline(always)]
fn normalised<S: Simd>(simd: S, x: S::f32s, norm: Affine) -> S::f32s {
    let [mean, scale, shift] =
        [simd.splat_f32s(norm.mean), simd.splat_f32s(norm.scale), simd.splat_f32s(norm.shift)];
    silu_vector(simd, simd.mul_add_e_f32s(simd.sub_f32s(x, mean), scale, shift))
}
