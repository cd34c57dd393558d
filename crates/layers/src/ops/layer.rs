use burn::backend::Dispatch;
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, LayerNorm, Linear, PaddingConfig2d};
use burn::tensor::{Bool, DType, Device, Tensor, module, ops::AttentionModuleOptions};

use super::extension::LayerOps;
use super::{on_cpu, silu};

/// A convolution layer.
///
/// # Shapes
/// - x: `[batch, in_channels, height, width]`
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let stride = layer.stride[0];
    let padding = match layer.padding {
        PaddingConfig2d::Valid => Some([0, 0]),
        PaddingConfig2d::Explicit(top, left, bottom, right) if top == bottom && left == right => {
            Some([top, left])
        }
        _ => None,
    };
    let plain = layer.stride == [stride; 2] && layer.dilation == [1, 1] && layer.groups == 1;
    let (Some(padding), true) = (padding, plain && on_cpu(&x)) else { return layer.forward(x) };
    let weight = layer.weight.val();
    let bias = bias_or_zeros(&layer.bias, weight.dims()[0], &x.device());
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_conv(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        stride,
        padding,
    ))
}

/// The kernels always add a bias.
fn bias_or_zeros(bias: &Option<Param<Tensor<1>>>, outputs: usize, device: &Device) -> Tensor<1> {
    match bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([outputs], (device, DType::F32)),
    }
}

/// A linear layer over the last dimension; rows are those of `[batch, …, input]`.
pub fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    if !on_cpu(&x) {
        return layer.forward(x);
    }
    let weight = layer.weight.val();
    let bias = bias_or_zeros(&layer.bias, weight.dims()[1], &x.device());
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// A GroupNorm layer over `[batch, channels, …]`.
pub fn group_norm<const D: usize>(layer: &GroupNorm, x: Tensor<D>) -> Tensor<D> {
    normalise_groups(layer, x, false)
}

/// A GroupNorm layer followed by SiLU.
pub fn group_norm_silu<const D: usize>(layer: &GroupNorm, x: Tensor<D>) -> Tensor<D> {
    normalise_groups(layer, x, true)
}

fn normalise_groups<const D: usize>(layer: &GroupNorm, x: Tensor<D>, with_silu: bool) -> Tensor<D> {
    match (&layer.gamma, &layer.beta) {
        (Some(gamma), Some(beta)) if on_cpu(&x) => {
            Tensor::from_dispatch(<Dispatch as LayerOps>::layer_group_norm(
                x.into_dispatch(),
                gamma.val().into_dispatch(),
                beta.val().into_dispatch(),
                layer.num_groups,
                layer.epsilon,
                with_silu,
            ))
        }
        _ => {
            // burn widens f16 inside its GroupNorm but not bf16.
            let dtype = x.dtype();
            let normed = if dtype == DType::BF16 {
                layer.forward(x.cast(DType::F32)).cast(dtype)
            } else {
                layer.forward(x)
            };
            if with_silu { silu(normed) } else { normed }
        }
    }
}

/// A LayerNorm layer over the last dimension; `epsilon` must be the one it was made with.
pub fn layer_norm<const D: usize>(layer: &LayerNorm, epsilon: f64, x: Tensor<D>) -> Tensor<D> {
    match &layer.beta {
        Some(beta) if on_cpu(&x) => {
            Tensor::from_dispatch(<Dispatch as LayerOps>::layer_layer_norm(
                x.into_dispatch(),
                layer.gamma.val().into_dispatch(),
                beta.val().into_dispatch(),
                epsilon,
            ))
        }
        _ => layer.forward(x),
    }
}

/// Multi-head scaled dot-product attention, `softmax(Q Kᵀ / √d) V` for each head.
///
/// # Shapes
/// - query and output: `[batch, tokens, channels]`
/// - key, value: `[batch, context, channels]`
///
/// With `causal`, a token sees only itself and those before it.
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    if on_cpu(&query) {
        return Tensor::from_dispatch(<Dispatch as LayerOps>::layer_attention(
            query.into_dispatch(),
            key.into_dispatch(),
            value.into_dispatch(),
            heads,
            causal,
        ));
    }
    let [batch, tokens, channels] = query.dims();
    let context = key.dims()[1];
    let split = |x: Tensor<3>| -> Tensor<4> {
        let rows = x.dims()[1];
        x.reshape([batch, rows, heads, channels / heads]).swap_dims(1, 2)
    };
    let mask = causal.then(|| {
        Tensor::<2, Bool>::tril_mask([tokens, context], 0, &query.device())
            .reshape([1, 1, tokens, context])
            .expand([batch, heads, tokens, context])
    });
    let options = AttentionModuleOptions::default();
    let mixed = module::attention(split(query), split(key), split(value), mask, None, options);
    mixed.swap_dims(1, 2).reshape([batch, tokens, channels])
}
