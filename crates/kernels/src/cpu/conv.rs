//! 2-D convolutions of f32 slices as matrix products of unfolded inputs.

use rayon::prelude::*;

use super::disjoint::DisjointOut;
use super::matmul::{Matrix, matmul};

/// Sizes of a convolution; of two values the first is vertical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub(crate) batch: usize,
    /// Channels, height and width of the input.
    pub(crate) input: [usize; 3],
    /// Channels, height and width of the output.
    pub(crate) output: [usize; 3],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: usize,
    pub(crate) padding: [usize; 2],
}

/// Positions computed by one matrix product where a sample has fewer.
const GROUP_POSITIONS: usize = 32;
/// Elements of the unfolded input that one matrix product takes at most.
const TILE_ELEMENTS: usize = 1 << 20;

impl ConvShape {
    pub(crate) fn new(
        input: [usize; 4],
        out_channels: usize,
        kernel: [usize; 2],
        stride: usize,
        padding: [usize; 2],
    ) -> Self {
        let [batch, channels, height, width] = input;
        let out = |axis: usize, size: usize| (size + 2 * padding[axis] - kernel[axis]) / stride + 1;
        Self {
            batch,
            input: [channels, height, width],
            output: [out_channels, out(0, height), out(1, width)],
            kernel,
            stride,
            padding,
        }
    }

    fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    fn positions(&self) -> usize {
        self.output[1] * self.output[2]
    }

    pub(crate) fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Rows of the unfolded input: one per weight of an output channel.
    fn depth(&self) -> usize {
        self.input[0] * self.kernel[0] * self.kernel[1]
    }

    /// Samples per group and output rows per tile; only one of them is above its minimum.
    fn tiling(&self) -> (usize, usize) {
        let positions = self.positions();
        if positions < GROUP_POSITIONS {
            return (GROUP_POSITIONS.div_ceil(positions), self.output[1]);
        }
        let rows = (TILE_ELEMENTS / self.depth()).max(GROUP_POSITIONS).div_ceil(self.output[2]);
        (1, rows.min(self.output[1]))
    }

    /// Whether the input itself is its unfolded form.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.padding == [0, 0]
    }

    /// Output positions `[begin, end)` along an axis whose input position for offset `k` exists.
    fn valid(&self, axis: usize, k: usize) -> (usize, usize) {
        let (size, out) = (self.input[axis + 1], self.output[axis + 1]);
        let padding = self.padding[axis];
        let begin = padding.saturating_sub(k).div_ceil(self.stride);
        let end = (size + padding).saturating_sub(k).div_ceil(self.stride).min(out);
        (begin.min(end), end)
    }

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
    fn unfold(
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
    fn fold(
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

/// Convolution of `x` `[batch, c, h, w]` with `w` `[out, c, k, k]` plus `b` `[out]`.
pub(crate) fn forward(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape) -> Vec<f32> {
    let mut y = vec![0.0; shape.batch * shape.output_len()];
    if y.is_empty() {
        return y;
    }
    let (group, tile_rows) = shape.tiling();
    if group > 1 {
        y.par_chunks_mut(group * shape.output_len())
            .zip(x.par_chunks(group * shape.input_len()))
            .for_each(|(y, x)| forward_group(x, w, b, shape, group, y));
    } else {
        let (positions, width) = (shape.positions(), shape.output[2]);
        let tiles = shape.output[1].div_ceil(tile_rows);
        let out = DisjointOut::new(&mut y);
        (0..shape.batch * tiles).into_par_iter().for_each(|task| {
            let (sample, tile) = (task / tiles, task % tiles);
            let rows = tile * tile_rows..((tile + 1) * tile_rows).min(shape.output[1]);
            let x = &x[sample * shape.input_len()..][..shape.input_len()];
            let start = sample * shape.output_len() + rows.start * width;
            let count = rows.len() * width;
            let part = forward_rows(x, w, b, shape, rows);
            for (channel, part) in part.chunks_exact(count).enumerate() {
                // SAFETY: tasks write disjoint rows of disjoint samples.
                unsafe { out.write(start + channel * positions, part) };
            }
        });
    }
    y
}

/// Some output rows of one sample, `[out, rows · width]`.
fn forward_rows(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    shape: ConvShape,
    rows: std::ops::Range<usize>,
) -> Vec<f32> {
    let (positions, width) = (shape.positions(), shape.output[2]);
    let count = rows.len() * width;
    let mut y = vec![0.0; shape.output[0] * count];
    y.chunks_exact_mut(count).zip(b).for_each(|(y, bias)| y.fill(*bias));
    let out = Matrix::new(shape.output[0], count);
    let weights = Matrix::new(shape.output[0], shape.depth());
    if shape.is_pointwise() {
        let input = Matrix::strided(shape.depth(), count, positions);
        matmul((&mut y, out), (w, weights), (&x[rows.start * width..], input), 1.0, true);
    } else {
        let mut columns = vec![0.0; shape.depth() * count];
        shape.unfold(x, rows, &mut columns, (0, count));
        let input = Matrix::new(shape.depth(), count);
        matmul((&mut y, out), (w, weights), (&columns, input), 1.0, true);
    }
    y
}

/// Several small samples in one product, always of the full group's size.
fn forward_group(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape, group: usize, y: &mut [f32]) {
    let positions = shape.positions();
    let count = group * positions;
    let columns = unfold_group(x, shape, count);
    let mut out = vec![0.0; shape.output[0] * count];
    matmul(
        (&mut out, Matrix::new(shape.output[0], count)),
        (w, Matrix::new(shape.output[0], shape.depth())),
        (&columns, Matrix::new(shape.depth(), count)),
        1.0,
        false,
    );
    for (sample, y) in y.chunks_exact_mut(shape.output_len()).enumerate() {
        for (channel, y) in y.chunks_exact_mut(positions).enumerate() {
            let from = &out[channel * count + sample * positions..][..positions];
            y.iter_mut().zip(from).for_each(|(y, value)| *y = value + b[channel]);
        }
    }
}

fn unfold_group(x: &[f32], shape: ConvShape, count: usize) -> Vec<f32> {
    let mut columns = vec![0.0; shape.depth() * count];
    for (sample, x) in x.chunks_exact(shape.input_len()).enumerate() {
        shape.unfold(x, 0..shape.output[1], &mut columns, (sample * shape.positions(), count));
    }
    columns
}

/// Gradients of `x`, `w` and `b`.
pub(crate) fn backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    shape: ConvShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let positions = shape.positions();
    let mut dx = vec![0.0; x.len()];
    let mut dw = vec![0.0; w.len()];
    let mut db = vec![0.0; shape.output[0]];
    for sample in dy.chunks_exact(shape.output_len()) {
        for (sum, values) in db.iter_mut().zip(sample.chunks_exact(positions)) {
            *sum += values.iter().sum::<f32>();
        }
    }
    // Small samples go together, so that the products are wide enough to be fast.
    let group = (256 / positions.max(1)).max(1);
    let weights = Matrix::new(shape.output[0], shape.depth());
    let groups = x
        .chunks(group * shape.input_len())
        .zip(dy.chunks(group * shape.output_len()))
        .zip(dx.chunks_mut(group * shape.input_len()));
    for ((x, dy), dx) in groups {
        let count = x.len() / shape.input_len() * positions;
        let mut columns = unfold_group(x, shape, count);
        let columns_shape = Matrix::new(shape.depth(), count);
        let gathered = gather_channels(dy, shape, count);
        let dy_shape = Matrix::new(shape.output[0], count);
        let columns_t = columns_shape.transposed();
        matmul((&mut dw, weights), (&gathered, dy_shape), (&columns, columns_t), 1.0, true);
        let weights_t = weights.transposed();
        matmul((&mut columns, columns_shape), (w, weights_t), (&gathered, dy_shape), 1.0, false);
        for (sample, dx) in dx.chunks_exact_mut(shape.input_len()).enumerate() {
            shape.fold(&columns, 0..shape.output[1], dx, (sample * positions, count));
        }
    }
    (dx, dw, db)
}

/// `[samples, channels, positions]` to `[channels, samples · positions]`.
fn gather_channels(dy: &[f32], shape: ConvShape, count: usize) -> Vec<f32> {
    let positions = shape.positions();
    let mut gathered = vec![0.0; shape.output[0] * count];
    for (sample, dy) in dy.chunks_exact(shape.output_len()).enumerate() {
        for (channel, dy) in dy.chunks_exact(positions).enumerate() {
            gathered[channel * count + sample * positions..][..positions].copy_from_slice(dy);
        }
    }
    gathered
}
