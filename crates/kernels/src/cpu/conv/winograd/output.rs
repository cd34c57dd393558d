//! Products back to outputs: `Aᵀ m A`, plus the bias.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::Unit;
use super::transforms::Filtering;
use crate::cpu::conv::ConvShape;
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::scratch::Scratch;
use crate::cpu::simd::{lanes, load, store};

/// Transforms the products of one output channel; `products` are those of point `p` and tile `t`
/// at `p · stride + t`, with a vector's room behind the last.
pub(super) struct TransformOutput<'a, F> {
    pub(super) products: &'a [f32],
    pub(super) stride: usize,
    pub(super) bias: f32,
    /// Values that are added to the whole output.
    pub(super) added: Option<&'a [f32]>,
    pub(super) shape: ConvShape,
    pub(super) unit: Unit,
    pub(super) channel: usize,
    pub(super) out: DisjointOut<'a>,
    pub(super) filtering: PhantomData<F>,
}

impl<F: Filtering> WithSimd for TransformOutput<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { products, stride, bias, added, shape, unit, channel, out, .. } = self;
        let [channels, height, width] = shape.output;
        let (lanes, across) = (lanes::<S>(), unit.across);
        let pitch = across.next_multiple_of(lanes);
        let mut lines = Scratch::new(F::OUTPUTS * F::OUTPUTS * pitch);
        let mut line = Scratch::new(pitch * F::OUTPUTS);
        let bias = simd.splat_f32s(bias);
        for tile_row in 0..unit.down {
            for tile in (0..across).step_by(lanes) {
                let zero = simd.splat_f32s(0.0);
                let mut half = [[zero; 6]; 4];
                for column in 0..F::POINTS {
                    let mut values = [zero; 6];
                    for (row, value) in values.iter_mut().enumerate().take(F::POINTS) {
                        let point = row * F::POINTS + column;
                        let start = point * stride + tile_row * across + tile;
                        *value = load::<S>(&products[start..]);
                    }
                    let transformed = F::output(simd, values);
                    for (row, value) in half.iter_mut().zip(transformed).take(F::OUTPUTS) {
                        row[column] = value;
                    }
                }
                for (row, values) in half.iter().enumerate().take(F::OUTPUTS) {
                    let transformed = F::output(simd, *values);
                    for (column, value) in transformed.iter().enumerate().take(F::OUTPUTS) {
                        let start = (row * F::OUTPUTS + column) * pitch + tile;
                        store::<S>(&mut lines[start..], simd.add_f32s(*value, bias));
                    }
                }
            }
            let top = (unit.first_row + tile_row) * F::OUTPUTS;
            for row in 0..F::OUTPUTS.min(height - top) {
                let lines = &lines[row * F::OUTPUTS * pitch..][..F::OUTPUTS * pitch];
                for (tile, values) in line.chunks_exact_mut(F::OUTPUTS).enumerate() {
                    for (phase, value) in values.iter_mut().enumerate() {
                        *value = lines[phase * pitch + tile];
                    }
                }
                let start = ((unit.sample * channels + channel) * height + top + row) * width;
                if let Some(added) = added {
                    let added = &added[start..start + width];
                    line.iter_mut().zip(added).for_each(|(value, added)| *value += added);
                }
                // SAFETY: every output channel is written by one task.
                unsafe { out.write(start, &line[..width]) };
            }
        }
    }
}
