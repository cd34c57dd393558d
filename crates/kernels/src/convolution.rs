//! Convolution layers, alone and with what stands around them, on the CPU by kernels of our own,
//! on LibTorch's devices by PyTorch's, on other GPUs in half precision as products of matrices.

use burn::backend::Dispatch;
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor};

use crate::device::{has_kernels, is_flex};
use crate::extension::LayerOps;
use crate::layer::group_norm_silu;
use crate::unfolded::unfolded_conv2d;

/// A convolution layer.
///
/// # Shapes
/// - x: `[batch, in_channels, height, width]`
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let Some(padding) = plain_padding(layer) else {
        return layer.forward(x);
    };
    if !has_kernels(&x) {
        // On a GPU burn sums f32 in f32, but half precision in half precision: of a 3×3 filter over
        // 1,280 channels that leaves errors of 3 % of the largest value.
        let in_half = !is_flex(&x) && x.dtype() != DType::F32;
        return if in_half { unfolded_conv2d(layer, x, padding) } else { layer.forward(x) };
    }
    let weight = layer.weight.val();
    let bias = bias_or_zeros(&layer.bias, weight.dims()[0], (&x.device(), x.dtype()));
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_conv(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        layer.stride[0],
        padding,
    ))
}

/// A GroupNorm layer, SiLU, a convolution layer, and what is added to its output, as in residual
/// blocks; on the CPU in one pass where the shapes allow it.
///
/// # Shapes
/// - x: `[batch, in_channels, height, width]`
/// - addend: `[batch, out_channels, height, width]`, or 1 for height and width
pub fn group_norm_silu_conv2d(
    norm: &GroupNorm,
    conv: &Conv2d,
    x: Tensor<4>,
    addend: Option<Tensor<4>>,
) -> Tensor<4> {
    let padding = plain_padding(conv).filter(|_| conv.stride == [1, 1] && has_kernels(&x));
    let (Some(gamma), Some(beta), Some(padding)) = (&norm.gamma, &norm.beta, padding) else {
        let y = conv2d(conv, group_norm_silu(norm, x));
        return match addend {
            Some(addend) => y + addend,
            None => y,
        };
    };
    let weight = conv.weight.val();
    let (batch, outputs, device) = (x.dims()[0], weight.dims()[0], x.device());
    let bias = bias_or_zeros(&conv.bias, outputs, (&device, x.dtype()));
    let addend =
        addend.unwrap_or_else(|| Tensor::zeros([batch, outputs, 1, 1], (&device, x.dtype())));
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_norm_conv_add(
        x.into_dispatch(),
        gamma.val().into_dispatch(),
        beta.val().into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        addend.into_dispatch(),
        norm.num_groups,
        norm.epsilon,
        padding,
    ))
}

/// A convolution layer of stride 1 over features whose height and width are doubled first, each
/// value repeated (nearest-neighbour enlargement).
///
/// # Shapes
/// - x: `[batch, in_channels, height, width]`
pub fn doubled_conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let padding = plain_padding(layer).filter(|_| layer.stride == [1, 1] && has_kernels(&x));
    let Some(padding) = padding else {
        let [batch, channels, height, width] = x.dims();
        let enlarged = x
            .reshape([batch, channels, height, 1, width, 1])
            .expand([batch, channels, height, 2, width, 2])
            .reshape([batch, channels, 2 * height, 2 * width]);
        return conv2d(layer, enlarged);
    };
    let weight = layer.weight.val();
    let bias = bias_or_zeros(&layer.bias, weight.dims()[0], (&x.device(), x.dtype()));
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_doubled_conv(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        padding,
    ))
}

/// Rows and columns of zeros around the input of a layer that the kernels can compute.
fn plain_padding(layer: &Conv2d) -> Option<[usize; 2]> {
    let plain = layer.stride[0] == layer.stride[1] && layer.dilation == [1, 1] && layer.groups == 1;
    match layer.padding {
        _ if !plain => None,
        PaddingConfig2d::Valid => Some([0, 0]),
        PaddingConfig2d::Explicit(top, left, bottom, right) if top == bottom && left == right => {
            Some([top, left])
        }
        _ => None,
    }
}

/// The kernels always add a bias.
pub(crate) fn bias_or_zeros(
    bias: &Option<Param<Tensor<1>>>,
    outputs: usize,
    (device, dtype): (&Device, DType),
) -> Tensor<1> {
    match bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([outputs], (device, dtype)),
    }
}
