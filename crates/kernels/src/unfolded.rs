//! Convolution as a product of matrices, in tensor operations alone: the product is summed in f32
//! whatever the type of its factors.

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// Unfolded values that exist at once: 1 GiB in f32. Larger inputs are cut into strips of rows.
const MOST_UNFOLDED: usize = 1 << 28;

/// A convolution layer without groups and dilation, with equal strides and `padding` rows and
/// columns of zeros on both sides.
///
/// # Shapes
/// - x: `[batch, in_channels, height, width]`
pub(crate) fn unfolded_conv2d(layer: &Conv2d, x: Tensor<4>, padding: [usize; 2]) -> Tensor<4> {
    let weight = layer.weight.val();
    let [batch, inputs, height, width] = x.dims();
    let [outputs, _, rows, columns] = weight.dims();
    let taps = Taps { size: [rows, columns], stride: layer.stride[0] };
    let [out_height, out_width] =
        [taps.places(height + 2 * padding[0], rows), taps.places(width + 2 * padding[1], columns)];
    let weight: Tensor<3> =
        weight.permute([2, 3, 1, 0]).reshape([1, rows * columns * inputs, outputs]);
    let x = taps.phases(x, padding);
    let per_row = batch * out_width * rows * columns * inputs;
    let strip = (MOST_UNFOLDED / per_row.max(1)).clamp(1, out_height.max(1));
    let strips: Vec<Tensor<3>> = (0..out_height)
        .step_by(strip)
        .map(|first| {
            let count = strip.min(out_height - first);
            taps.unfold(&x, [first, count], out_width).matmul(weight.clone())
        })
        .collect();
    let mut y = joined(strips, 1);
    if let Some(bias) = &layer.bias {
        y = y + bias.val().reshape([1, 1, outputs]);
    }
    y.reshape([batch, out_height, out_width, outputs]).permute([0, 3, 1, 2])
}

/// The places of a filter.
struct Taps {
    /// Rows and columns.
    size: [usize; 2],
    stride: usize,
}

impl Taps {
    /// Places of a filter's side along a padded input's.
    fn places(&self, padded: usize, side: usize) -> usize {
        (padded - side) / self.stride + 1
    }

    /// The padded input `[batch, channels, height, width]`, its rows and columns cut into groups of one stride:
    /// `[batch, ⌈height / stride⌉, stride, ⌈width / stride⌉, stride, channels]`.
    fn phases(&self, mut x: Tensor<4>, padding: [usize; 2]) -> Tensor<6> {
        let [batch, channels, height, width] = x.dims();
        let (stride, [above, left]) = (self.stride, padding);
        let [tall, wide] =
            [height + 2 * above, width + 2 * left].map(|side| side.next_multiple_of(stride));
        let (below, right) = (tall - height - above, wide - width - left);
        if above + left + below + right > 0 {
            x = x.pad((left, right, above, below), 0.0);
        }
        x.permute([0, 2, 3, 1]).reshape([
            batch,
            tall / stride,
            stride,
            wide / stride,
            stride,
            channels,
        ])
    }

    /// `[batch, count · width, rows · columns · channels]`: what stands below the filter at `count`
    /// rows of places from `first` on.
    fn unfold(&self, x: &Tensor<6>, [first, count]: [usize; 2], width: usize) -> Tensor<3> {
        let [batch, .., channels] = x.dims();
        let stride = self.stride;
        let mut parts = Vec::with_capacity(self.size[0] * self.size[1]);
        for row in 0..self.size[0] {
            for column in 0..self.size[1] {
                let part = x
                    .clone()
                    .narrow(1, first + row / stride, count)
                    .narrow(2, row % stride, 1)
                    .narrow(3, column / stride, width)
                    .narrow(4, column % stride, 1);
                parts.push(part.reshape([batch, count * width, channels]));
            }
        }
        joined(parts, 2)
    }
}

/// The parts one after the other; one alone is not copied.
fn joined(parts: Vec<Tensor<3>>, dim: usize) -> Tensor<3> {
    match <[Tensor<3>; 1]>::try_from(parts) {
        Ok([whole]) => whole,
        Err(parts) => Tensor::cat(parts, dim),
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn values_and_gradients_are_those_of_the_kernels() {
        let device = Device::flex().autodiff();
        for (side, stride, padding, size) in [
            (3, 1, 1, [8, 6]),
            (3, 2, 1, [8, 6]),
            (3, 2, 0, [9, 7]),
            (3, 2, 1, [7, 5]),
            (1, 1, 0, [4, 3]),
        ] {
            let layer: Conv2d = Conv2dConfig::new([5, 4], [side, side])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                .init(&device);
            let normal = Distribution::Normal(0.0, 1.0);
            let x = Tensor::<4>::random([2, 5, size[0], size[1]], normal, &device).require_grad();
            let run = |y: Tensor<4>| {
                let gradients = (y.clone() * y.clone().detach()).sum().backward();
                let weight = layer.weight.val().grad(&gradients).unwrap();
                (y.inner(), x.grad(&gradients).unwrap(), weight)
            };
            let ours = run(unfolded_conv2d(&layer, x.clone(), [padding, padding]));
            let kernel = run(crate::conv2d(&layer, x.clone()));
            for (a, b) in [(ours.0, kernel.0), (ours.1, kernel.1), (ours.2, kernel.2)] {
                assert_eq!(a.dims(), b.dims());
                let error = (a - b.clone()).abs().max().into_scalar::<f32>();
                assert!(error < 1e-5 * b.abs().max().into_scalar::<f32>(), "{error}");
            }
        }
    }

    #[test]
    fn strips_are_the_whole() {
        let device = Device::flex();
        let x = Tensor::<4>::random([1, 3, 9, 4], Distribution::Default, &device);
        let taps = Taps { size: [3, 3], stride: 2 };
        let x = taps.phases(x, [1, 1]);
        let whole = taps.unfold(&x, [0, 5], 2);
        let strips = [[0, 2], [2, 2], [4, 1]].map(|strip| taps.unfold(&x, strip, 2));
        let error = (whole - Tensor::cat(strips.into(), 1)).abs().max().into_scalar::<f32>();
        assert_eq!(error, 0.0);
    }
}
