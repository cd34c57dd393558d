//! The unfolded input of a convolution: a column for every output position.

use super::ConvShape;
use crate::cpu::scratch::Scratch;

impl ConvShape {
    /// Calls `copy(columns_start, input_start, count)` for every run of positions of the output
    /// rows `rows` that reads input channel `c` at kernel offset `(ky, kx)`.
    fn runs(
        &self,
        (c, ky, kx): (usize, usize, usize),
        rows: std::ops::Range<usize>,
        mut copy: impl FnMut(usize, usize, usize),
    ) {
        let [_, height, width] = self.input;
        let out_width = self.output[2];
        let (y0, y1) = self.valid(0, ky);
        let (x0, x1) = self.valid(1, kx);
        if x0 == x1 {
            return;
        }
        for y in y0.max(rows.start)..y1.min(rows.end) {
            let in_y = y * self.stride + ky - self.padding[0];
            let in_x = x0 * self.stride + kx - self.padding[1];
            let start = (c * height + in_y) * width + in_x;
            copy((y - rows.start) * out_width + x0, start, x1 - x0);
        }
    }

    fn kernel_offsets(&self) -> impl Iterator<Item = (usize, (usize, usize, usize))> {
        let [height, width] = self.kernel;
        (0..self.depth()).map(move |row| {
            let (c, offset) = (row / (height * width), row % (height * width));
            (row, (c, offset / width, offset % width))
        })
    }

    /// Writes the unfolded input of `rows` into columns `[first, …)` of `columns`.
    pub(super) fn unfold(
        &self,
        x: &[f32],
        rows: std::ops::Range<usize>,
        columns: &mut [f32],
        (first, stride): (usize, usize),
    ) {
        for (row, at) in self.kernel_offsets() {
            let target = &mut columns[row * stride + first..];
            self.runs(at, rows.clone(), |to, from, count| {
                let target = &mut target[to..to + count];
                if self.stride == 1 {
                    target.copy_from_slice(&x[from..from + count]);
                } else {
                    target
                        .iter_mut()
                        .zip(x[from..].iter().step_by(self.stride))
                        .for_each(|(t, v)| *t = *v);
                }
            });
        }
    }

    /// Adds what [`Self::unfold`] read back to where it was read.
    pub(super) fn fold(
        &self,
        columns: &[f32],
        rows: std::ops::Range<usize>,
        dx: &mut [f32],
        (first, stride): (usize, usize),
    ) {
        for (row, at) in self.kernel_offsets() {
            let source = &columns[row * stride + first..];
            self.runs(at, rows.clone(), |from, to, count| {
                let source = &source[from..from + count];
                if self.stride == 1 {
                    dx[to..to + count].iter_mut().zip(source).for_each(|(t, v)| *t += v);
                } else {
                    dx[to..].iter_mut().step_by(self.stride).zip(source).for_each(|(t, v)| *t += v);
                }
            });
        }
    }
}

/// Several samples side by side, `[depth, count]`.
pub(super) fn unfold_group(samples: &[&[f32]], shape: ConvShape, count: usize) -> Scratch {
    let mut columns = Scratch::new(shape.depth() * count);
    columns.fill(0.0);
    for (sample, x) in samples.iter().enumerate() {
        shape.unfold(x, 0..shape.output[1], &mut columns, (sample * shape.positions(), count));
    }
    columns
}
