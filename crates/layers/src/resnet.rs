//! The residual block of two convolutions.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use kernels::{conv2d, group_norm_silu_conv2d, linear};

/// Configuration of [`ResnetBlock2D`].
#[derive(Debug, Clone)]
pub struct ResnetBlock2DConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Channels of the time embedding; `None` in the autoencoder.
    pub temb_channels: Option<usize>,
    /// Groups of both norms.
    pub groups: usize,
    /// Epsilon of both norms.
    pub eps: f64,
}

/// Two 3×3 convolutions, each after GroupNorm and SiLU, with the projected time embedding added
/// between them and the input added at the end (diffusers `ResnetBlock2D`).
#[derive(Module, Debug)]
pub struct ResnetBlock2D {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock2DConfig {
    /// A module with random weights on `device`.
    pub fn init(&self, device: &Device) -> ResnetBlock2D {
        let norm = |channels| {
            GroupNormConfig::new(self.groups, channels).with_epsilon(self.eps).init(device)
        };
        let shortcut = || Conv2dConfig::new([self.in_channels, self.out_channels], [1, 1]);
        ResnetBlock2D {
            norm1: norm(self.in_channels),
            conv1: conv3x3(self.in_channels, self.out_channels, device),
            time_emb_proj: self
                .temb_channels
                .map(|channels| LinearConfig::new(channels, self.out_channels).init(device)),
            norm2: norm(self.out_channels),
            conv2: conv3x3(self.out_channels, self.out_channels, device),
            conv_shortcut: (self.in_channels != self.out_channels).then(|| shortcut().init(device)),
        }
    }
}

pub(crate) fn conv3x3(input: usize, output: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

impl ResnetBlock2D {
    /// # Shapes
    /// - hidden: `[batch, in_channels, height, width]`
    /// - temb: `[batch, temb_channels]`, already through SiLU (all resnets share it)
    /// - output: `[batch, out_channels, height, width]`
    pub fn forward(&self, hidden: Tensor<4>, temb: Option<&Tensor<2>>) -> Tensor<4> {
        let shift = self.time_emb_proj.as_ref().zip(temb).map(|(proj, temb)| {
            let shift = linear(proj, temb.clone());
            let [batch, channels] = shift.dims();
            shift.reshape([batch, channels, 1, 1])
        });
        let inner = group_norm_silu_conv2d(&self.norm1, &self.conv1, hidden.clone(), shift);
        let residual = match &self.conv_shortcut {
            Some(conv) => conv2d(conv, hidden),
            None => hidden,
        };
        group_norm_silu_conv2d(&self.norm2, &self.conv2, inner, Some(residual))
    }
}
