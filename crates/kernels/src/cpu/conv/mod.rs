//! 2-D convolutions of f32 slices.

mod backward;
mod direct;
mod fused;
#[cfg(test)]
mod reference;
mod shifted;
mod unfold;
mod winograd;

pub(crate) use backward::backward;
pub(crate) use fused::{Addend, doubled, normalised};

use fused::Around;

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
}

/// Convolution of `x` `[batch, c, h, w]` with `w` `[out, c, k, k]` plus `b` `[out]`.
pub(crate) fn forward(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape) -> Vec<f32> {
    let mut y = vec![0.0; shape.batch * shape.output_len()];
    if !y.is_empty() {
        match winograd::Method::of(shape) {
            Some(method) => {
                winograd::forward(x, w, b, shape, method, Around::default(), &mut y);
            }
            None if shifted::suits(shape) => {
                shifted::forward(x, w, b, shape, Around::default(), &mut y);
            }
            None => direct::forward(x, w, b, shape, &mut y),
        }
    }
    y
}
