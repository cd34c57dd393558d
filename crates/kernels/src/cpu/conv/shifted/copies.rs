//! Copies of the input, one for each column of the kernel.

use std::ops::Range;

use super::products::ROOM;
use crate::cpu::activation::silu_in_place;
use crate::cpu::conv::ConvShape;
use crate::cpu::conv::fused::{Around, double_row};
use crate::cpu::norm::Affine;
use crate::cpu::scratch::Scratch;

/// Some samples' input as the weights meet it.
///
/// A copy is of one input channel and one column of the kernel: each row of it has what the weights
/// of that column meet in a row of the output, of all samples side by side, and the rows are those
/// of the padded input, those of the same remainder by the stride one after the other.
pub(super) struct Copies {
    pub(super) values: Scratch,
    /// Where each weight of an output meets the first position.
    pub(super) offsets: Vec<usize>,
    pub(super) positions: usize,
}

impl Copies {
    /// Copies of the channels `channels` of the samples `samples` of `x`, normalised or doubled as
    /// `around` says.
    pub(super) fn new(
        x: &[f32],
        shape: ConvShape,
        samples: Range<usize>,
        channels: Range<usize>,
        around: Around<'_>,
    ) -> Self {
        let [all_channels, height, width] = shape.input;
        let [taps_y, taps_x] = shape.kernel;
        let layout = Layout::new(shape, samples.len());
        let mut values = Scratch::new(channels.len() * taps_x * layout.copy_len() + ROOM);
        let mut doubled = Scratch::new(height * width);
        let mut normal = Scratch::new(height * width);
        for (index, sample) in samples.enumerate() {
            for (copied, channel) in channels.clone().enumerate() {
                let place = sample * all_channels + channel;
                let norm = around.before.map(|norms| norms[place]);
                let plane = if around.doubled {
                    let len = height / 2 * (width / 2);
                    double(&x[place * len..][..len], width, &mut doubled);
                    &doubled
                } else {
                    &x[place * height * width..][..height * width]
                };
                let plane = match norm {
                    Some(norm) => {
                        normalise(plane, norm, &mut normal);
                        &normal
                    }
                    None => plane,
                };
                for tap in 0..taps_x {
                    let start = (copied * taps_x + tap) * layout.copy_len();
                    let copy = &mut values[start..][..layout.copy_len()];
                    layout.shift(plane, tap, index, copy);
                }
            }
        }
        let mut offsets = Vec::with_capacity(channels.len() * taps_x * taps_y);
        for channel in 0..channels.len() {
            for down in 0..taps_y {
                let first =
                    channel * taps_x * layout.copy_len() + layout.row(down) * layout.row_len();
                offsets.extend((0..taps_x).map(|across| first + across * layout.copy_len()));
            }
        }
        let positions = shape.output[1] * layout.row_len();
        Self { values, offsets, positions }
    }
}

fn normalise(plane: &[f32], norm: Affine, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(plane) {
        *out = (x - norm.mean) * norm.scale + norm.shift;
    }
    silu_in_place(out);
}

/// Repeats each value and each row; `width` is that of the result.
fn double(plane: &[f32], width: usize, out: &mut [f32]) {
    for (rows, x) in out.chunks_exact_mut(2 * width).zip(plane.chunks_exact(width / 2)) {
        let (first, second) = rows.split_at_mut(width);
        double_row(first, x);
        second.copy_from_slice(first);
    }
}

/// Where the rows of a copy are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    shape: ConvShape,
    samples: usize,
    /// Rows of each remainder by the stride.
    rows: usize,
}

impl Layout {
    fn new(shape: ConvShape, samples: usize) -> Self {
        let rows = shape.output[1] + (shape.kernel[0] - 1) / shape.stride;
        Self { shape, samples, rows }
    }

    fn row_len(&self) -> usize {
        self.samples * self.shape.output[2]
    }

    fn copy_len(&self) -> usize {
        self.shape.stride * self.rows * self.row_len()
    }

    /// Which row of a copy has row `row` of the padded input.
    fn row(&self, row: usize) -> usize {
        row % self.shape.stride * self.rows + row / self.shape.stride
    }

    /// Writes what column `tap` of the kernel meets in a plane of the input of sample `sample`.
    fn shift(&self, plane: &[f32], tap: usize, sample: usize, copy: &mut [f32]) {
        let ConvShape { input: [_, height, width], stride, padding, .. } = self.shape;
        let out_width = self.shape.output[2];
        let (begin, end) = self.shape.valid(1, tap);
        if self.samples == 1 && stride == 1 && out_width == width && begin < end {
            return self.shift_whole(plane, tap, (begin, end), copy);
        }
        for row in 0..stride * self.rows {
            let start = self.row(row) * self.row_len() + sample * out_width;
            let target = &mut copy[start..][..out_width];
            let from = row.wrapping_sub(padding[0]);
            if from >= height || begin == end {
                target.fill(0.0);
                continue;
            }
            let (left, target) = target.split_at_mut(begin);
            let (target, right) = target.split_at_mut(end - begin);
            left.fill(0.0);
            right.fill(0.0);
            let source = &plane[from * width..][..width][begin * stride + tap - padding[1]..];
            target.iter_mut().zip(source.iter().step_by(stride)).for_each(|(to, from)| *to = *from);
        }
    }

    /// [`Self::shift`] where a row is as long as the plane's: in one piece, whose ends of rows,
    /// which come from their neighbours, are cleared.
    fn shift_whole(
        &self,
        plane: &[f32],
        tap: usize,
        (begin, end): (usize, usize),
        copy: &mut [f32],
    ) {
        let ConvShape { input: [_, height, width], padding, .. } = self.shape;
        let top = padding[0] * width;
        let (above, rows) = copy.split_at_mut(top);
        let (rows, below) = rows.split_at_mut(height * width);
        above.fill(0.0);
        below.fill(0.0);
        let from = (begin + tap) - padding[1];
        let len = height * width - begin.max(from);
        rows[begin..begin + len].copy_from_slice(&plane[from..from + len]);
        for row in rows.chunks_exact_mut(width) {
            row[..begin].fill(0.0);
            row[end..].fill(0.0);
        }
    }
}
