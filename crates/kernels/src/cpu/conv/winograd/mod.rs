//! 3×3 convolutions of stride 1 by Winograd's minimal filtering: a quarter or less of the
//! products, on tiles of the input and weights that are transformed for each call.

mod input;
mod output;
mod transforms;
mod weights;

use std::marker::PhantomData;

use rayon::prelude::*;

use super::fused::{Addend, Around};
use super::{ConvShape, shifted};
use crate::cpu::disjoint::DisjointOut;
use crate::cpu::matmul::{Matrix, matmul};
use crate::cpu::scratch::Scratch;
use crate::cpu::simd::dispatch;
use input::TransformInput;
use output::TransformOutput;
use transforms::{Filtering, Four, Two};
use weights::TransformWeights;

/// Elements of the transformed input that exist at a time (12 MiB), where one row of tiles has no
/// more.
const MOST_INPUT: usize = 3 << 20;
/// Output channels of a task.
const TASK_CHANNELS: usize = 64;
/// Room behind a row of products, so that whole vectors can be read.
const ROOM: usize = 16;

/// Which filtering is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Tiles of 2×2 outputs.
    Two,
    /// Tiles of 4×4 outputs.
    Four,
}

impl Method {
    /// The fastest for `shape`; `None` where direct products are.
    pub(super) fn of(shape: ConvShape) -> Option<Self> {
        let [channels, ..] = shape.input;
        let [outputs, height, width] = shape.output;
        let fits = shape.kernel == [3, 3] && shape.stride == 1 && shape.padding == [1, 1];
        if !fits || channels.min(outputs) < 64 {
            return None;
        }
        match height.min(width) {
            24.. => Some(Self::Four),
            // Of few channels, transforming takes what products are saved.
            12.. if channels.min(outputs) >= 128 || !shifted::suits(shape) => Some(Self::Two),
            _ => None,
        }
    }
}

/// Some rows of tiles of one sample.
#[derive(Debug, Clone, Copy)]
struct Unit {
    sample: usize,
    first_row: usize,
    /// Rows of tiles.
    down: usize,
    /// Tiles of a row.
    across: usize,
    /// Where its transformed input begins.
    start: usize,
}

impl Unit {
    fn tiles(&self) -> usize {
        self.down * self.across
    }
}

/// Convolution of `x` with `w` plus `b`.
///
/// Beside `y` it holds the transformed input of some rows of tiles, 12 MiB or one row's, and in
/// each thread the transformed weights of at most 64 output channels and their products.
pub(super) fn forward(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    shape: ConvShape,
    method: Method,
    around: Around<'_>,
    y: &mut [f32],
) {
    match method {
        Method::Two => filter::<Two>(x, w, b, shape, around, y),
        Method::Four => filter::<Four>(x, w, b, shape, around, y),
    }
}

fn filter<F: Filtering>(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    shape: ConvShape,
    around: Around<'_>,
    y: &mut [f32],
) {
    let filtering = PhantomData::<F>;
    let out = DisjointOut::new(y);
    for units in groups::<F>(shape) {
        let len = units.iter().map(|unit| transformed_len::<F>(shape, unit)).sum();
        let mut transformed = Scratch::new(len);
        let target = DisjointOut::new(&mut transformed);
        let channels = shape.input[0];
        (0..units.len() * channels).into_par_iter().for_each(|task| {
            let (unit, channel) = (units[task / channels], task % channels);
            let norm = around.before.map(|norms| norms[unit.sample * channels + channel]);
            let doubled = around.doubled;
            let out = target;
            dispatch(TransformInput { x, shape, unit, channel, norm, doubled, out, filtering });
        });
        // An even number of tasks of about the same size.
        let outputs = shape.output[0];
        let tasks = outputs.div_ceil(TASK_CHANNELS).next_multiple_of(2);
        let block = outputs.div_ceil(tasks);
        let kept: &[f32] = &transformed;
        (0..outputs.div_ceil(block)).into_par_iter().for_each(|task| {
            let range = task * block..outputs.min((task + 1) * block);
            multiply::<F>(kept, w, b, (shape, &units), range, around.after, out);
        });
    }
}

fn transformed_len<F: Filtering>(shape: ConvShape, unit: &Unit) -> usize {
    F::POINTS * F::POINTS * shape.input[0] * unit.tiles()
}

/// Units whose transformed inputs may exist at once; a unit's size depends on one sample alone.
fn groups<F: Filtering>(shape: ConvShape) -> Vec<Vec<Unit>> {
    let [_, height, width] = shape.output;
    let (rows, across) = (height.div_ceil(F::OUTPUTS), width.div_ceil(F::OUTPUTS));
    let row_len = F::POINTS * F::POINTS * shape.input[0] * across;
    let units = rows.div_ceil((MOST_INPUT / row_len).max(1));
    let down = rows.div_ceil(units);
    let mut groups: Vec<Vec<Unit>> = vec![Vec::new()];
    let mut held = 0;
    for sample in 0..shape.batch {
        for first_row in (0..rows).step_by(down) {
            let down = down.min(rows - first_row);
            if held > 0 && held + down * row_len > MOST_INPUT {
                groups.push(Vec::new());
                held = 0;
            }
            let unit = Unit { sample, first_row, down, across, start: held };
            held += down * row_len;
            groups.last_mut().into_iter().for_each(|group| group.push(unit));
        }
    }
    groups
}

/// The output channels `range` of some units.
fn multiply<F: Filtering>(
    transformed: &[f32],
    w: &[f32],
    b: &[f32],
    (shape, units): (ConvShape, &[Unit]),
    range: std::ops::Range<usize>,
    addend: Addend<'_>,
    out: DisjointOut<'_>,
) {
    let (channels, outputs, points) = (shape.input[0], range.len(), F::POINTS * F::POINTS);
    let pitch = weights::pitch(channels);
    let mut u = Scratch::new(points * outputs * pitch);
    let w = &w[range.start * channels * 9..range.end * channels * 9];
    let filtering = PhantomData::<F>;
    dispatch(TransformWeights { w, channels, u: &mut u, filtering });
    for unit in units {
        let tiles = unit.tiles();
        let mut products = Scratch::new(points * outputs * tiles + ROOM);
        for point in 0..points {
            matmul(
                (&mut products[point * outputs * tiles..], Matrix::new(outputs, tiles)),
                (&u[point * outputs * pitch..], Matrix::strided(outputs, channels, pitch)),
                (
                    &transformed[unit.start + point * channels * tiles..],
                    Matrix::new(channels, tiles),
                ),
                1.0,
                false,
            );
        }
        for (index, channel) in range.clone().enumerate() {
            let place = unit.sample * shape.output[0] + channel;
            let (shift, added) = match addend {
                Addend::None => (0.0, None),
                Addend::Channels(values) => (values[place], None),
                Addend::Positions(values) => (0.0, Some(values)),
            };
            dispatch(TransformOutput {
                products: &products[index * tiles..],
                stride: outputs * tiles,
                bias: b[channel] + shift,
                added,
                shape,
                unit: *unit,
                channel,
                out,
                filtering,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::conv::reference::{reference, values};

    #[test]
    fn both_methods_are_within_the_measured_error_of_f64() {
        for (batch, channels, outputs, height, width) in [
            (1, 3, 2, 5, 7),
            (2, 17, 5, 8, 8),
            (1, 40, 9, 13, 66),
            (3, 5, 66, 3, 4),
            (1, 320, 3, 12, 12),
        ] {
            let shape =
                ConvShape::new([batch, channels, height, width], outputs, [3, 3], 1, [1, 1]);
            let x = values(batch * channels * height * width, 1);
            let (w, b) = (values(outputs * channels * 9, 2), values(outputs, 3));
            let expected = reference(&x, &w, &b, shape);
            // Largest measured: 1.8e-6 and 7.4e-6, both at 320 channels; direct products 3.2e-6.
            for (method, bound) in [(Method::Two, 2.5e-6), (Method::Four, 9e-6)] {
                let mut y = vec![f32::NAN; expected.len()];
                forward(&x, &w, &b, shape, method, Around::default(), &mut y);
                // A sum of so many products of variance 1/9.
                let scale = (channels as f64).sqrt();
                for (y, expected) in y.iter().zip(&expected) {
                    let error = (f64::from(*y) - expected).abs() / scale;
                    assert!(error < bound, "{shape:?} {method:?}: {y}, {expected}: {error:e}");
                }
            }
        }
    }
}
