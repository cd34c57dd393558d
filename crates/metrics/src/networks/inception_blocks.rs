//! The blocks of Inception-v3.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, activation::relu};
use kernels::conv2d;

/// A convolution with the batch norm that follows it folded in.
pub(super) fn conv(
    input: usize,
    output: usize,
    kernel: [usize; 2],
    stride: usize,
    device: &Device,
) -> Conv2d {
    // With stride 2 the network never pads, otherwise it always keeps the size.
    let [y, x] = if stride == 1 { kernel.map(|k| k / 2) } else { [0, 0] };
    Conv2dConfig::new([input, output], kernel)
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(y, x, y, x))
        .init(device)
}

pub(super) fn activate(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    relu(conv2d(layer, x))
}

fn chain(layers: &[&Conv2d], x: Tensor<4>) -> Tensor<4> {
    layers.iter().fold(x, |x, layer| activate(layer, x))
}

/// 3×3 maximum of stride 2.
pub(super) fn reduce(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]))
}

/// 3×3 mean of stride 1 over the pixels that exist.
fn mean(x: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
    avg_pool2d(x, options.with_count_include_pad(false))
}

/// 3×3 maximum of stride 1.
fn maximum(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]))
}

const POINT: [usize; 2] = [1, 1];
const SQUARE: [usize; 2] = [3, 3];

/// `FIDInceptionA`.
#[derive(Module, Debug)]
pub(super) struct InceptionA {
    branch1x1: Conv2d,
    branch5x5_1: Conv2d,
    branch5x5_2: Conv2d,
    branch3x3dbl_1: Conv2d,
    branch3x3dbl_2: Conv2d,
    branch3x3dbl_3: Conv2d,
    branch_pool: Conv2d,
}

impl InceptionA {
    pub(super) fn new(input: usize, pooled: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| conv(input, output, kernel, 1, device);
        Self {
            branch1x1: conv(input, 64, POINT),
            branch5x5_1: conv(input, 48, POINT),
            branch5x5_2: conv(48, 64, [5, 5]),
            branch3x3dbl_1: conv(input, 64, POINT),
            branch3x3dbl_2: conv(64, 96, SQUARE),
            branch3x3dbl_3: conv(96, 96, SQUARE),
            branch_pool: conv(input, pooled, POINT),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let double = [&self.branch3x3dbl_1, &self.branch3x3dbl_2, &self.branch3x3dbl_3];
        let parts = vec![
            activate(&self.branch1x1, x.clone()),
            chain(&[&self.branch5x5_1, &self.branch5x5_2], x.clone()),
            chain(&double, x.clone()),
            activate(&self.branch_pool, mean(x)),
        ];
        Tensor::cat(parts, 1)
    }
}

/// `InceptionB`, which halves the size.
#[derive(Module, Debug)]
pub(super) struct InceptionB {
    branch3x3: Conv2d,
    branch3x3dbl_1: Conv2d,
    branch3x3dbl_2: Conv2d,
    branch3x3dbl_3: Conv2d,
}

impl InceptionB {
    pub(super) fn new(input: usize, device: &Device) -> Self {
        Self {
            branch3x3: conv(input, 384, SQUARE, 2, device),
            branch3x3dbl_1: conv(input, 64, POINT, 1, device),
            branch3x3dbl_2: conv(64, 96, SQUARE, 1, device),
            branch3x3dbl_3: conv(96, 96, SQUARE, 2, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let double = [&self.branch3x3dbl_1, &self.branch3x3dbl_2, &self.branch3x3dbl_3];
        let parts =
            vec![activate(&self.branch3x3, x.clone()), chain(&double, x.clone()), reduce(x)];
        Tensor::cat(parts, 1)
    }
}

/// `FIDInceptionC`.
#[derive(Module, Debug)]
pub(super) struct InceptionC {
    branch1x1: Conv2d,
    branch7x7_1: Conv2d,
    branch7x7_2: Conv2d,
    branch7x7_3: Conv2d,
    branch7x7dbl_1: Conv2d,
    branch7x7dbl_2: Conv2d,
    branch7x7dbl_3: Conv2d,
    branch7x7dbl_4: Conv2d,
    branch7x7dbl_5: Conv2d,
    branch_pool: Conv2d,
}

impl InceptionC {
    pub(super) fn new(inner: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| conv(input, output, kernel, 1, device);
        Self {
            branch1x1: conv(768, 192, POINT),
            branch7x7_1: conv(768, inner, POINT),
            branch7x7_2: conv(inner, inner, [1, 7]),
            branch7x7_3: conv(inner, 192, [7, 1]),
            branch7x7dbl_1: conv(768, inner, POINT),
            branch7x7dbl_2: conv(inner, inner, [7, 1]),
            branch7x7dbl_3: conv(inner, inner, [1, 7]),
            branch7x7dbl_4: conv(inner, inner, [7, 1]),
            branch7x7dbl_5: conv(inner, 192, [1, 7]),
            branch_pool: conv(768, 192, POINT),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let single = [&self.branch7x7_1, &self.branch7x7_2, &self.branch7x7_3];
        let double = [
            &self.branch7x7dbl_1,
            &self.branch7x7dbl_2,
            &self.branch7x7dbl_3,
            &self.branch7x7dbl_4,
            &self.branch7x7dbl_5,
        ];
        let parts = vec![
            activate(&self.branch1x1, x.clone()),
            chain(&single, x.clone()),
            chain(&double, x.clone()),
            activate(&self.branch_pool, mean(x)),
        ];
        Tensor::cat(parts, 1)
    }
}

/// `InceptionD`, which halves the size.
#[derive(Module, Debug)]
pub(super) struct InceptionD {
    branch3x3_1: Conv2d,
    branch3x3_2: Conv2d,
    branch7x7x3_1: Conv2d,
    branch7x7x3_2: Conv2d,
    branch7x7x3_3: Conv2d,
    branch7x7x3_4: Conv2d,
}

impl InceptionD {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            branch3x3_1: conv(768, 192, POINT, 1, device),
            branch3x3_2: conv(192, 320, SQUARE, 2, device),
            branch7x7x3_1: conv(768, 192, POINT, 1, device),
            branch7x7x3_2: conv(192, 192, [1, 7], 1, device),
            branch7x7x3_3: conv(192, 192, [7, 1], 1, device),
            branch7x7x3_4: conv(192, 192, SQUARE, 2, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let long =
            [&self.branch7x7x3_1, &self.branch7x7x3_2, &self.branch7x7x3_3, &self.branch7x7x3_4];
        let parts = vec![
            chain(&[&self.branch3x3_1, &self.branch3x3_2], x.clone()),
            chain(&long, x.clone()),
            reduce(x),
        ];
        Tensor::cat(parts, 1)
    }
}

/// `FIDInceptionE_1`, and `FIDInceptionE_2` with a maximum where the other has a mean.
#[derive(Module, Debug)]
pub(super) struct InceptionE {
    branch1x1: Conv2d,
    branch3x3_1: Conv2d,
    branch3x3_2a: Conv2d,
    branch3x3_2b: Conv2d,
    branch3x3dbl_1: Conv2d,
    branch3x3dbl_2: Conv2d,
    branch3x3dbl_3a: Conv2d,
    branch3x3dbl_3b: Conv2d,
    branch_pool: Conv2d,
    #[module(skip)]
    takes_maximum: bool,
}

impl InceptionE {
    pub(super) fn new(input: usize, takes_maximum: bool, device: &Device) -> Self {
        let conv = |input, output, kernel| conv(input, output, kernel, 1, device);
        Self {
            branch1x1: conv(input, 320, POINT),
            branch3x3_1: conv(input, 384, POINT),
            branch3x3_2a: conv(384, 384, [1, 3]),
            branch3x3_2b: conv(384, 384, [3, 1]),
            branch3x3dbl_1: conv(input, 448, POINT),
            branch3x3dbl_2: conv(448, 384, SQUARE),
            branch3x3dbl_3a: conv(384, 384, [1, 3]),
            branch3x3dbl_3b: conv(384, 384, [3, 1]),
            branch_pool: conv(input, 192, POINT),
            takes_maximum,
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let single = activate(&self.branch3x3_1, x.clone());
        let double = chain(&[&self.branch3x3dbl_1, &self.branch3x3dbl_2], x.clone());
        let pooled = if self.takes_maximum { maximum(x.clone()) } else { mean(x.clone()) };
        let parts = vec![
            activate(&self.branch1x1, x),
            activate(&self.branch3x3_2a, single.clone()),
            activate(&self.branch3x3_2b, single),
            activate(&self.branch3x3dbl_3a, double.clone()),
            activate(&self.branch3x3dbl_3b, double),
            activate(&self.branch_pool, pooled),
        ];
        Tensor::cat(parts, 1)
    }
}
