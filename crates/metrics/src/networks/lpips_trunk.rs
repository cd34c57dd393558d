//! The trunks of LPIPS and the linear layers over their taps.

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, activation::relu};
use kernels::conv2d;

/// The networks LPIPS has linear layers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LpipsNetwork {
    /// torchvision's AlexNet.
    Alex,
    /// torchvision's VGG-16.
    Vgg,
    /// torchvision's SqueezeNet 1.1.
    Squeeze,
}

/// One layer of a trunk; `at` is its position in torchvision's `features`.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Convolution and ReLU.
    Conv { at: usize, output: usize, kernel: usize, stride: usize, padding: usize },
    /// SqueezeNet's module: a narrow 1×1 convolution, then 1×1 and 3×3 ones side by side.
    Fire { at: usize, squeeze: usize, expand: usize },
    /// Maximum; `ceil` keeps an incomplete last window.
    Pool { kernel: usize, ceil: bool },
    /// The activations here are compared.
    Tap,
}

impl LpipsNetwork {
    /// The name LPIPS calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alex => "alex",
            Self::Vgg => "vgg",
            Self::Squeeze => "squeeze",
        }
    }

    /// Names of the convolutions in torchvision's `features`, in their order: `0`, `3.squeeze` …
    pub(super) fn convolutions(self) -> Vec<String> {
        let names = self.steps().into_iter().map(|step| match step {
            Step::Conv { at, .. } => vec![at.to_string()],
            Step::Fire { at, .. } => {
                ["squeeze", "expand1x1", "expand3x3"].map(|inner| format!("{at}.{inner}")).to_vec()
            }
            Step::Pool { .. } | Step::Tap => Vec::new(),
        });
        names.flatten().collect()
    }

    fn steps(self) -> Vec<Step> {
        use Step::{Fire, Pool, Tap};
        let conv = |at, output, kernel, stride, padding| Step::Conv {
            at,
            output,
            kernel,
            stride,
            padding,
        };
        match self {
            Self::Alex => {
                let pool = Pool { kernel: 3, ceil: false };
                vec![
                    conv(0, 64, 11, 4, 2),
                    Tap,
                    pool,
                    conv(3, 192, 5, 1, 2),
                    Tap,
                    pool,
                    conv(6, 384, 3, 1, 1),
                    Tap,
                    conv(8, 256, 3, 1, 1),
                    Tap,
                    conv(10, 256, 3, 1, 1),
                    Tap,
                ]
            }
            Self::Vgg => {
                let stages: [(usize, &[usize]); 5] = [
                    (64, &[0, 2]),
                    (128, &[5, 7]),
                    (256, &[10, 12, 14]),
                    (512, &[17, 19, 21]),
                    (512, &[24, 26, 28]),
                ];
                let mut steps = Vec::new();
                for (stage, (output, positions)) in stages.into_iter().enumerate() {
                    if stage > 0 {
                        steps.push(Pool { kernel: 2, ceil: false });
                    }
                    steps.extend(positions.iter().map(|at| conv(*at, output, 3, 1, 1)));
                    steps.push(Tap);
                }
                steps
            }
            Self::Squeeze => {
                let pool = Pool { kernel: 3, ceil: true };
                let fire = |at, squeeze, expand| Fire { at, squeeze, expand };
                vec![
                    conv(0, 64, 3, 2, 0),
                    Tap,
                    pool,
                    fire(3, 16, 64),
                    fire(4, 16, 64),
                    Tap,
                    pool,
                    fire(6, 32, 128),
                    fire(7, 32, 128),
                    Tap,
                    pool,
                    fire(9, 48, 192),
                    Tap,
                    fire(10, 48, 192),
                    Tap,
                    fire(11, 64, 256),
                    Tap,
                    fire(12, 64, 256),
                    Tap,
                ]
            }
        }
    }
}

/// A trunk and the linear layers over its taps.
#[derive(Module, Debug)]
pub(super) struct Trunk {
    pub(super) convs: Vec<Conv2d>,
    /// The linear layers' weights, `[1, channels, 1, 1]` for each tap.
    pub(super) lins: Vec<Param<Tensor<4>>>,
    #[module(skip)]
    network: LpipsNetwork,
}

impl Trunk {
    pub(super) fn new(network: LpipsNetwork, device: &Device) -> Self {
        let (mut convs, mut lins, mut channels) = (Vec::new(), Vec::new(), 3);
        let layer = |input, output, kernel, stride, padding| {
            Conv2dConfig::new([input, output], [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                .init(device)
        };
        for step in network.steps() {
            match step {
                Step::Conv { output, kernel, stride, padding, .. } => {
                    convs.push(layer(channels, output, kernel, stride, padding));
                    channels = output;
                }
                Step::Fire { squeeze, expand, .. } => {
                    convs.push(layer(channels, squeeze, 1, 1, 0));
                    convs.push(layer(squeeze, expand, 1, 1, 0));
                    convs.push(layer(squeeze, expand, 3, 1, 1));
                    channels = 2 * expand;
                }
                Step::Tap => {
                    lins.push(burn::nn::Initializer::Zeros.init([1, channels, 1, 1], device))
                }
                Step::Pool { .. } => {}
            }
        }
        Self { convs, lins, network }
    }

    /// The activations at every tap.
    ///
    /// # Errors
    /// The smallest picture side that is enough, for a picture that is too small.
    pub(super) fn forward(&self, mut x: Tensor<4>) -> Result<Vec<Tensor<4>>, &'static str> {
        let mut convs = self.convs.iter();
        let mut taps = Vec::with_capacity(self.lins.len());
        let too_small = "pictures large enough for the network's pooling (32 pixels do)";
        for step in self.network.steps() {
            let [_, _, height, width] = x.dims();
            let least = height.min(width);
            match step {
                Step::Conv { kernel, padding, .. } => {
                    if least + 2 * padding < kernel {
                        return Err(too_small);
                    }
                    for conv in convs.by_ref().take(1) {
                        x = relu(conv2d(conv, x.clone()));
                    }
                }
                Step::Fire { .. } => {
                    let [squeeze, narrow, wide] = [convs.next(), convs.next(), convs.next()];
                    if let (Some(squeeze), Some(narrow), Some(wide)) = (squeeze, narrow, wide) {
                        let inner = relu(conv2d(squeeze, x));
                        let parts = vec![conv2d(narrow, inner.clone()), conv2d(wide, inner)];
                        x = relu(Tensor::cat(parts, 1));
                    }
                }
                Step::Pool { kernel, ceil } => {
                    if least < kernel {
                        return Err(too_small);
                    }
                    let options = MaxPoolOptions::new([kernel; 2]).with_stride([2, 2]);
                    x = max_pool2d(x, options.with_ceil_mode(ceil));
                }
                Step::Tap => taps.push(x.clone()),
            }
        }
        Ok(taps)
    }
}
