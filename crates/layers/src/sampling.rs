//! Layers that halve or double the size of a feature map.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};

use crate::resnet::conv3x3;
use kernels::{conv2d, doubled_conv2d};

/// How [`Downsample2D`] pads before its stride-2 convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownsamplePadding {
    /// One pixel on every side (the U-Net, `downsample_padding = 1`).
    Symmetric,
    /// One pixel at the right and the bottom only (the autoencoder's encoder).
    RightBottom,
}

/// A 3×3 convolution of stride 2 (diffusers `Downsample2D`).
#[derive(Module, Debug)]
pub struct Downsample2D {
    conv: Conv2d,
    #[module(skip)]
    right_bottom: bool,
}

impl Downsample2D {
    /// A module with random weights on `device`.
    pub fn new(channels: usize, padding: DownsamplePadding, device: &Device) -> Self {
        let right_bottom = padding == DownsamplePadding::RightBottom;
        let pad = usize::from(!right_bottom);
        let conv = Conv2dConfig::new([channels, channels], [3, 3])
            .with_stride([2, 2])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .init(device);
        Self { conv, right_bottom }
    }

    /// # Shapes
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, channels, ⌈height / 2⌉, ⌈width / 2⌉]` (rounded down with
    ///   [`DownsamplePadding::RightBottom`])
    pub fn forward(&self, hidden: Tensor<4>) -> Tensor<4> {
        let hidden = if self.right_bottom { pad_right_bottom(hidden) } else { hidden };
        conv2d(&self.conv, hidden)
    }
}

/// A column and a row of zeros more. (burn's `pad` fills the whole result on the host first, for
/// backends that have no operation for it.)
fn pad_right_bottom(hidden: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = hidden.dims();
    let (device, dtype) = (hidden.device(), hidden.dtype());
    let column = Tensor::zeros([batch, channels, height, 1], (&device, dtype));
    let row = Tensor::zeros([batch, channels, 1, width + 1], (&device, dtype));
    Tensor::cat(vec![Tensor::cat(vec![hidden, column], 3), row], 2)
}

/// Nearest-neighbour enlargement and a 3×3 convolution (diffusers `Upsample2D`).
#[derive(Module, Debug)]
pub struct Upsample2D {
    conv: Conv2d,
}

impl Upsample2D {
    /// A module with random weights on `device`.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self { conv: conv3x3(channels, channels, device) }
    }

    /// Doubles the size, or enlarges to `size` where the skip connection to come has an odd one.
    ///
    /// # Shapes
    /// - input: `[batch, channels, height, width]`
    /// - output: `[batch, channels, size[0], size[1]]`
    pub fn forward(&self, hidden: Tensor<4>, size: Option<[usize; 2]>) -> Tensor<4> {
        let [_, _, height, width] = hidden.dims();
        match size {
            Some(size) if size != [2 * height, 2 * width] => {
                let options =
                    InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(size);
                conv2d(&self.conv, interpolate(hidden, options))
            }
            _ => doubled_conv2d(&self.conv, hidden),
        }
    }
}
