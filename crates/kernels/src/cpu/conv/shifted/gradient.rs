//! The weights' gradient: every weight's is one sum over positions of the output's gradient times
//! the copy that the weight met there.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Copies;
use crate::cpu::conv::ConvShape;
use crate::cpu::conv::fused::Around;
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::scratch::Scratch;
use crate::cpu::simd::{dispatch, lanes};

/// Positions that samples fill together where one has fewer: some vectors.
const GROUP_POSITIONS: usize = 64;
/// Positions, about, that stay in the processor's caches while all weights meet them.
const CHUNK_POSITIONS: usize = 1024;
/// Input channels of a task, at least.
const TASK_CHANNELS: usize = 8;

/// The sum over samples and positions of `dy` times the input below the weights, `[out, in, y, x]`.
///
/// A task takes some input channels, which depend on the shape alone, so that the sums do too.
pub(in crate::cpu::conv) fn weight_gradient(x: &[f32], dy: &[f32], shape: ConvShape) -> Vec<f32> {
    let (channels, outputs) = (shape.input[0], shape.output[0]);
    let (depth, taps) = (shape.depth(), shape.kernel[0] * shape.kernel[1]);
    let group = GROUP_POSITIONS.div_ceil(shape.positions());
    let arranged = (group > 1).then(|| side_by_side(dy, shape, group));
    let dy = arranged.as_deref().unwrap_or(dy);
    let mut dw = vec![0.0; outputs * depth];
    let out = DisjointOut::new(&mut dw);
    let block = channels.div_ceil(8).max(TASK_CHANNELS).min(channels);
    let chunk = group * CHUNK_POSITIONS.div_ceil(group * shape.positions());
    (0..channels.div_ceil(block)).into_par_iter().for_each(|task| {
        let channels = task * block..channels.min((task + 1) * block);
        let width = channels.len() * taps;
        let mut sums = Scratch::new(outputs * width);
        sums.fill(0.0);
        for first in (0..shape.batch).step_by(chunk) {
            let last = shape.batch.min(first + chunk);
            let pieces: Vec<Piece<'_>> = (first..last)
                .step_by(group)
                .map(|first| {
                    let samples = first..last.min(first + group);
                    let places =
                        samples.start * shape.output_len()..samples.end * shape.output_len();
                    let around = Around::default();
                    let copies = Copies::new(x, shape, samples, channels.clone(), around);
                    Piece { copies, dy: &dy[places] }
                })
                .collect();
            dispatch(Sums { pieces: &pieces, sums: &mut sums, width });
        }
        for (output, sums) in sums.chunks_exact(width).enumerate() {
            // SAFETY: each task has its own input channels' weights.
            unsafe { out.write(output * depth + channels.start * taps, sums) };
        }
    });
    dw
}

/// Each `group` samples of `dy` as `[channels, height, samples, width]`, as their copies are.
fn side_by_side(dy: &[f32], shape: ConvShape, group: usize) -> Vec<f32> {
    let [_, height, width] = shape.output;
    let mut arranged = vec![0.0; dy.len()];
    arranged
        .par_chunks_mut(group * shape.output_len())
        .zip(dy.par_chunks(group * shape.output_len()))
        .for_each(|(arranged, dy)| {
            let samples = dy.len() / shape.output_len();
            for (index, row) in dy.chunks_exact(width).enumerate() {
                let (sample, row_of_sample) =
                    (index / (shape.output[0] * height), index % (shape.output[0] * height));
                let place = (row_of_sample * samples + sample) * width;
                arranged[place..place + width].copy_from_slice(row);
            }
        });
    arranged
}

/// Samples side by side.
struct Piece<'a> {
    copies: Copies,
    /// `[outputs, positions]`.
    dy: &'a [f32],
}

/// Adds to `sums`, `[outputs, width]`, what the pieces give.
struct Sums<'a> {
    pieces: &'a [Piece<'a>],
    sums: &'a mut [f32],
    /// Weights of an output.
    width: usize,
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for Piece { copies, dy } in self.pieces {
            let last = copies.offsets.iter().copied().max().unwrap_or(0);
            assert!(copies.offsets.len() == self.width);
            assert!(copies.values.len() >= last + copies.positions);
            assert!(dy.len() * self.width == self.sums.len() * copies.positions);
        }
        let mut first = 0;
        // As many sums as there are registers for, beside what they need.
        while lanes::<S>() >= 16 && first + 6 <= self.width {
            self.columns::<S, 6>(simd, first);
            first += 6;
        }
        while first + 3 <= self.width {
            self.columns::<S, 3>(simd, first);
            first += 3;
        }
        while first < self.width {
            self.columns::<S, 1>(simd, first);
            first += 1;
        }
    }
}

impl Sums<'_> {
    /// Adds to the sums of `K` weights of all outputs.
    #[inline(always)]
    fn columns<S: Simd, const K: usize>(&mut self, simd: S, first: usize) {
        let outputs = self.sums.len() / self.width;
        let mut output = 0;
        while output + 4 <= outputs {
            // SAFETY: the pieces have these outputs and weights, as `with_simd` asserts.
            unsafe { self.tile::<S, 4, K>(simd, output, first) };
            output += 4;
        }
        while output < outputs {
            // SAFETY: as above.
            unsafe { self.tile::<S, 1, K>(simd, output, first) };
            output += 1;
        }
    }

    /// Adds to the sums of `K` weights from `weight` on, of `O` outputs from `output` on.
    ///
    /// # Safety
    /// Each piece must have these outputs, and copies for all positions behind these offsets.
    #[inline(always)]
    unsafe fn tile<S: Simd, const O: usize, const K: usize>(
        &mut self,
        simd: S,
        output: usize,
        weight: usize,
    ) {
        let lanes = lanes::<S>();
        let mut sums = [[simd.splat_f32s(0.0); K]; O];
        for Piece { copies: Copies { values, offsets, positions }, dy } in self.pieces {
            let offsets = &offsets[weight..weight + K];
            let rows = &dy[output * positions..(output + O) * positions];
            let mut copied = [simd.splat_f32s(0.0); K];
            let whole = positions - positions % lanes;
            for place in (0..whole).step_by(lanes) {
                for (copied, offset) in copied.iter_mut().zip(offsets) {
                    // SAFETY: the vector is within the positions behind this offset, as the caller
                    // promises, and plain f32 of any alignment.
                    *copied = unsafe {
                        values.as_ptr().add(offset + place).cast::<S::f32s>().read_unaligned()
                    };
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: the vector is within the row's positions, as sliced above.
                    let dy = unsafe {
                        let at = row * positions + place;
                        rows.as_ptr().add(at).cast::<S::f32s>().read_unaligned()
                    };
                    for (sum, copied) in sums.iter_mut().zip(copied) {
                        *sum = simd.mul_add_e_f32s(dy, copied, *sum);
                    }
                }
            }
            if whole < *positions {
                let rest = whole..*positions;
                for (copied, offset) in copied.iter_mut().zip(offsets) {
                    *copied = simd.partial_load_f32s(&values[*offset..][rest.clone()]);
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let dy = simd.partial_load_f32s(&rows[row * positions..][rest.clone()]);
                    for (sum, copied) in sums.iter_mut().zip(copied) {
                        *sum = simd.mul_add_e_f32s(dy, copied, *sum);
                    }
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let start = (output + row) * self.width + weight;
            for (total, sum) in self.sums[start..start + K].iter_mut().zip(sums) {
                *total += simd.reduce_sum_f32s(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CASES, Case};
    use super::*;
    use crate::cpu::conv::reference::values;
    use crate::cpu::simd::dispatch_all;

    /// More samples than stand side by side, or than the caches hold.
    const MANY_SAMPLES: [Case; 2] =
        [([37, 17, 8, 8], 4, [3, 3], 1, [1, 1]), ([21, 7, 2, 2], 9, [3, 3], 1, [1, 1])];

    /// The sums in f64.
    fn reference(x: &[f32], dy: &[f32], shape: ConvShape) -> Vec<f64> {
        let ([channels, height, width], [outputs, rows, columns]) = (shape.input, shape.output);
        let [taps_y, taps_x] = shape.kernel;
        let mut dw = Vec::new();
        for output in 0..outputs {
            for weight in 0..shape.depth() {
                let (channel, tap) = (weight / (taps_y * taps_x), weight % (taps_y * taps_x));
                let mut sum = 0.0;
                for place in 0..shape.batch * rows * columns {
                    let (sample, top, left) =
                        (place / (rows * columns), place / columns % rows, place % columns);
                    let row = (top * shape.stride + tap / taps_x).wrapping_sub(shape.padding[0]);
                    let column =
                        (left * shape.stride + tap % taps_x).wrapping_sub(shape.padding[1]);
                    if row < height && column < width {
                        let plane = (sample * channels + channel) * height;
                        let value = x[(plane + row) * width + column];
                        let at = ((sample * outputs + output) * rows + top) * columns + left;
                        sum += f64::from(value) * f64::from(dy[at]);
                    }
                }
                dw.push(sum);
            }
        }
        dw
    }

    #[derive(Clone)]
    struct OfWhole<'a> {
        x: &'a [f32],
        dy: &'a [f32],
        shape: ConvShape,
    }

    impl WithSimd for OfWhole<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let Self { x, dy, shape } = self;
            let samples = 0..shape.batch;
            let copies = Copies::new(x, shape, samples, 0..shape.input[0], Around::default());
            let dy = side_by_side(dy, shape, shape.batch);
            let pieces = [Piece { copies, dy: &dy }];
            let mut sums = vec![0.0; shape.output[0] * shape.depth()];
            Sums { pieces: &pieces, sums: &mut sums, width: shape.depth() }.with_simd(simd);
            sums
        }
    }

    #[test]
    fn every_instruction_set_is_within_the_measured_error_of_f64() {
        for (input, outputs, kernel, stride, padding) in CASES.into_iter().chain(MANY_SAMPLES) {
            let shape = ConvShape::new(input, outputs, kernel, stride, padding);
            let x = values(shape.batch * shape.input_len(), 1);
            let dy = values(shape.batch * shape.output_len(), 2);
            let expected = reference(&x, &dy, shape);
            // Largest measured: 5.0e-7.
            let scale = ((shape.batch * shape.positions()) as f64).sqrt();
            let close = |dw: &[f32]| {
                for (dw, expected) in dw.iter().zip(&expected) {
                    let error = (f64::from(*dw) - expected).abs() / scale;
                    assert!(error < 6e-7, "{shape:?}: {dw}, {expected}: {error:e}");
                }
            };
            let dw = weight_gradient(&x, &dy, shape);
            assert_eq!(dw.len(), expected.len());
            close(&dw);
            dispatch_all(&OfWhole { x: &x, dy: &dy, shape }, |dw| close(&dw));
        }
    }
}
