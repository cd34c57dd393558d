//! Convolutions of small features as products with copies of the input that are shifted sideways:
//! one for every column of the kernel, in which its rows are found a row further on.
//!
//! The copies are a third of the unfolded input of 3×3 weights, and every output is one sum over
//! the weights in their order, whatever batch, thread or vector it is computed in.

mod copies;
mod gradient;
mod products;

pub(super) use gradient::weight_gradient;

use rayon::prelude::*;

use super::ConvShape;
use super::fused::{Addend, Around};
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::scratch::Scratch;
use crate::cpu::simd::dispatch;
use copies::Copies;
use products::Products;

/// Positions of the output beyond which other methods are used.
const MOST_POSITIONS: usize = 256;
/// Weights of an output beyond which other methods are used.
const MOST_DEPTH: usize = 4096;
/// Positions that samples fill together where one has fewer: a vector.
const GROUP_POSITIONS: usize = 16;
/// Output channels that one task takes at least.
const TASK_CHANNELS: usize = 16;

/// Whether this is the fastest for `shape`.
pub(super) fn suits(shape: ConvShape) -> bool {
    shape.positions() <= MOST_POSITIONS && shape.depth() <= MOST_DEPTH && !shape.is_pointwise()
}

/// Whether [`weight_gradient`] is the fastest for `shape`.
pub(super) fn suits_gradient(shape: ConvShape) -> bool {
    shape.positions() <= MOST_POSITIONS && !shape.is_pointwise()
}

/// Convolution of `x` with `w` plus `b`.
pub(super) fn forward(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    shape: ConvShape,
    around: Around<'_>,
    y: &mut [f32],
) {
    let group = GROUP_POSITIONS.div_ceil(shape.positions());
    let groups = shape.batch.div_ceil(group);
    let outputs = shape.output[0];
    let parts = rayon::current_num_threads().div_ceil(groups);
    let block = outputs.div_ceil(parts).next_multiple_of(TASK_CHANNELS).min(outputs);
    let parts = outputs.div_ceil(block);
    let out = DisjointOut::new(y);
    (0..groups * parts).into_par_iter().for_each(|task| {
        let first = task / parts * group;
        let samples = first..shape.batch.min(first + group);
        let channels = task % parts * block..outputs.min((task % parts + 1) * block);
        let copies = Copies::new(x, shape, samples.clone(), 0..shape.input[0], around);
        let w = &w[channels.start * shape.depth()..channels.end * shape.depth()];
        let places = Places { shape, samples, channels };
        if places.samples.len() == 1 {
            // SAFETY: each task has its own samples' outputs of its own channels.
            let out = unsafe { places.alone(out) };
            places.start(out, b, around.after);
            copies.multiply(w, out);
            return;
        }
        let mut sums = Scratch::new(places.len());
        places.start(&mut sums, b, around.after);
        copies.multiply(w, &mut sums);
        // SAFETY: as above.
        places.rows(|at, place, width| unsafe { out.write(place, &sums[at..at + width]) });
    });
}

impl Copies {
    fn multiply(&self, w: &[f32], out: &mut [f32]) {
        let Self { values, offsets, positions } = self;
        dispatch(Products { w, copies: values, offsets, positions: *positions, out });
    }
}

/// Which part of the output a task computes, as `[channels, height, samples, width]`.
#[derive(Debug, Clone)]
struct Places {
    shape: ConvShape,
    samples: std::ops::Range<usize>,
    channels: std::ops::Range<usize>,
}

impl Places {
    fn len(&self) -> usize {
        self.channels.len() * self.samples.len() * self.shape.positions()
    }

    /// The part itself, where it is of one sample and therefore in one piece.
    ///
    /// # Safety
    /// Nobody else may have an element of it.
    unsafe fn alone<'a>(&self, out: DisjointOut<'a>) -> &'a mut [f32] {
        let first = self.samples.start * self.shape.output[0] + self.channels.start;
        let start = out.start(first * self.shape.positions(), self.len());
        // SAFETY: the elements are there, as `start` asserts, borrowed for as long as `out` says,
        // and this call's alone, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(start, self.len()) }
    }

    /// Calls `row(at, place, width)` for every row of the part: where it begins there and in the
    /// whole output.
    fn rows(&self, mut row: impl FnMut(usize, usize, usize)) {
        let [outputs, height, width] = self.shape.output;
        let mut at = 0;
        for channel in self.channels.clone() {
            for y in 0..height {
                for sample in self.samples.clone() {
                    row(at, ((sample * outputs + channel) * height + y) * width, width);
                    at += width;
                }
            }
        }
    }

    /// Fills `part` with what the products are added to.
    fn start(&self, part: &mut [f32], b: &[f32], addend: Addend<'_>) {
        let [outputs, _, width] = self.shape.output;
        let positions = self.shape.positions();
        if self.samples.len() > 1 {
            return self.rows(|at, place, _| {
                let row = &mut part[at..at + width];
                let channel = place / positions;
                row.fill(b[channel % outputs]);
                match addend {
                    Addend::None => {}
                    Addend::Channels(values) => {
                        row.iter_mut().for_each(|sum| *sum += values[channel]);
                    }
                    Addend::Positions(values) => add(row, &values[place..]),
                }
            });
        }
        for (channel, part) in self.channels.clone().zip(part.chunks_exact_mut(positions)) {
            let place = self.samples.start * outputs + channel;
            match addend {
                Addend::None => part.fill(b[channel]),
                Addend::Channels(values) => part.fill(b[channel] + values[place]),
                Addend::Positions(values) => {
                    part.fill(b[channel]);
                    add(part, &values[place * positions..]);
                }
            }
        }
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::conv::reference::{reference, values};
    use crate::cpu::simd::dispatch_all;

    /// A batch, sizes of its input, output channels, kernel, stride and padding.
    pub(super) type Case = ([usize; 4], usize, [usize; 2], usize, [usize; 2]);

    pub(super) const CASES: [Case; 7] = [
        ([2, 5, 16, 16], 13, [3, 3], 1, [1, 1]),
        ([5, 7, 2, 2], 9, [3, 3], 1, [1, 1]),
        ([3, 6, 3, 5], 4, [3, 3], 1, [1, 1]),
        ([2, 3, 9, 8], 18, [3, 3], 2, [1, 1]),
        ([1, 4, 7, 6], 3, [5, 2], 1, [0, 1]),
        ([7, 2, 1, 1], 8, [3, 3], 1, [1, 1]),
        ([1, 40, 4, 4], 17, [3, 3], 1, [1, 1]),
    ];

    #[test]
    fn every_instruction_set_is_within_the_measured_error_of_f64() {
        for (input, outputs, kernel, stride, padding) in CASES {
            let shape = ConvShape::new(input, outputs, kernel, stride, padding);
            let x = values(shape.batch * shape.input_len(), 1);
            let (w, b) = (values(outputs * shape.depth(), 2), values(outputs, 3));
            let whole = Copies::new(&x, shape, 0..shape.batch, 0..input[1], Around::default());
            let places = Places { shape, samples: 0..shape.batch, channels: 0..outputs };
            let mut sums = vec![0.0; places.len()];
            places.start(&mut sums, &b, Addend::None);
            let expected = reference(&x, &w, &b, shape);
            let mut y = vec![f32::NAN; expected.len()];
            forward(&x, &w, &b, shape, Around::default(), &mut y);
            // Largest measured: 3.2e-7.
            let scale = (shape.depth() as f64).sqrt();
            let close = |y: f32, expected: f64| {
                let error = (f64::from(y) - expected).abs() / scale;
                assert!(error < 4e-7, "{shape:?}: {y}, {expected}: {error:e}");
            };
            y.iter().zip(&expected).for_each(|(y, expected)| close(*y, *expected));
            dispatch_all(&OfWhole { w: &w, copies: &whole, sums: &sums }, |sums| {
                places.rows(|at, place, width| {
                    for column in 0..width {
                        close(sums[at + column], expected[place + column]);
                    }
                });
            });
        }
    }

    #[derive(Clone)]
    struct OfWhole<'a> {
        w: &'a [f32],
        copies: &'a Copies,
        sums: &'a [f32],
    }

    impl pulp::WithSimd for OfWhole<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) -> Vec<f32> {
            let mut out = self.sums.to_vec();
            let Copies { values, offsets, positions } = self.copies;
            let (copies, positions) = (values, *positions);
            Products { w: self.w, copies, offsets, positions, out: &mut out }.with_simd(simd);
            out
        }
    }
}
