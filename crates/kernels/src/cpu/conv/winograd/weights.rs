//! Some output channels' weights, transformed: `G g Gᵀ`.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::transforms::Filtering;
use crate::cpu::simd::{lanes, load, store};

/// Transforms `w`, `[out, channels, 3, 3]`, to `[point, out, pitch]` in `u`.
pub(super) struct TransformWeights<'a, F> {
    pub(super) w: &'a [f32],
    pub(super) channels: usize,
    pub(super) u: &'a mut [f32],
    pub(super) filtering: PhantomData<F>,
}

/// Elements from one row of transformed weights to the next.
pub(super) fn pitch(channels: usize) -> usize {
    channels.next_multiple_of(16)
}

impl<F: Filtering> WithSimd for TransformWeights<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { w, channels, u, .. } = self;
        let (lanes, pitch) = (lanes::<S>(), pitch(channels));
        let outputs = w.len() / (9 * channels);
        let mut taps = [0.0; 9 * 16];
        for (output, w) in w.chunks_exact(9 * channels).enumerate() {
            for (part, w) in w.chunks(9 * lanes).enumerate() {
                for (lane, filter) in w.chunks_exact(9).enumerate() {
                    for (tap, value) in filter.iter().enumerate() {
                        taps[tap * lanes + lane] = *value;
                    }
                }
                let zero = simd.splat_f32s(0.0);
                let mut half = [[zero; 3]; 6];
                for column in 0..3 {
                    let mut filter = [zero; 3];
                    for (row, value) in filter.iter_mut().enumerate() {
                        *value = load::<S>(&taps[(3 * row + column) * lanes..]);
                    }
                    let transformed = F::weights(simd, filter);
                    for row in 0..F::POINTS {
                        half[row][column] = transformed[row];
                    }
                }
                for (row, values) in half.iter().enumerate().take(F::POINTS) {
                    let transformed = F::weights(simd, *values);
                    for (column, value) in transformed.iter().enumerate().take(F::POINTS) {
                        let point = row * F::POINTS + column;
                        store::<S>(
                            &mut u[(point * outputs + output) * pitch + part * lanes..],
                            *value,
                        );
                    }
                }
            }
        }
    }
}
