//! Linear layers, norms and attention, on the CPU by kernels of our own, on LibTorch's devices by
//! PyTorch's.

use burn::backend::Dispatch;
use burn::nn::{GroupNorm, Linear};
use burn::tensor::{Bool, DType, Tensor, module, ops::AttentionModuleOptions};

use crate::convolution::bias_or_zeros;
use crate::device::has_kernels;
use crate::extension::LayerOps;
use crate::{geglu, silu};

/// A linear layer over the last dimension; rows are those of `[batch, …, input]`.
pub fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    affine(layer, x, false)
}

/// A linear layer over the channels of tokens, which become features.
///
/// # Shapes
/// - x: `[batch, tokens, in_channels]`
/// - output: `[batch, out_channels, tokens]`
pub fn linear_to_features(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    affine(layer, x, true).swap_dims(1, 2)
}

/// [`geglu`] of a linear layer over the last dimension.
///
/// # Shapes
/// - x: `[batch, tokens, in_channels]`
/// - output: `[batch, tokens, out_channels / 2]`
///
/// # Panics
/// Where `out_channels` is odd.
pub fn linear_geglu(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    if !has_kernels(&x) {
        return geglu(layer.forward(x));
    }
    let (weight, bias) = parameters(layer, &x);
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_linear_geglu(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// `turned`: whether the result is wanted with its last two dimensions swapped in memory.
fn affine<const D: usize>(layer: &Linear, x: Tensor<D>, turned: bool) -> Tensor<D> {
    if !has_kernels(&x) {
        return layer.forward(x);
    }
    let (weight, bias) = parameters(layer, &x);
    Tensor::from_dispatch(<Dispatch as LayerOps>::layer_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        turned,
    ))
}

/// The layer's weight, and its bias or zeros for `x`.
fn parameters<const D: usize>(layer: &Linear, x: &Tensor<D>) -> (Tensor<2>, Tensor<1>) {
    let weight = layer.weight.val();
    let bias = bias_or_zeros(&layer.bias, weight.dims()[1], (&x.device(), x.dtype()));
    (weight, bias)
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
        (Some(gamma), Some(beta)) if has_kernels(&x) => {
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
            // burn widens f16 inside its norms but not bf16.
            let normed = match x.dtype() {
                DType::BF16 => wide_group_norm(layer, x),
                _ => layer.forward(x),
            };
            if with_silu { silu(normed) } else { normed }
        }
    }
}

/// LayerNorm over the last dimension.
///
/// # Shapes
/// - x: `[…, channels]`
/// - gamma (scale), beta (shift): `[channels]`
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(<Dispatch as LayerOps>::layer_layer_norm(
            x.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            epsilon,
        ));
    }
    // In half precision the sum of squares overflows or loses its digits.
    let dtype = x.dtype();
    let wide = |value: Tensor<1>| value.cast(DType::F32);
    match dtype {
        DType::F16 => {
            let (x, gamma, beta) = (x.cast(DType::F32), wide(gamma), wide(beta));
            module::layer_norm(x, gamma, Some(beta), epsilon).cast(dtype)
        }
        DType::BF16 => {
            let mut shape = [1; D];
            shape[D - 1] = x.dims()[D - 1];
            let normed = standardised(x.cast(DType::F32), epsilon);
            (normed * wide(gamma).reshape(shape) + wide(beta).reshape(shape)).cast(dtype)
        }
        _ => module::layer_norm(x, gamma, Some(beta), epsilon),
    }
}

/// Mean 0 and variance 1 over the last dimension.
fn standardised<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = centred.clone().square().mean_dim(D - 1);
    centred / (variance + epsilon).sqrt()
}

/// A GroupNorm in f32 over features of another type.
fn wide_group_norm<const D: usize>(layer: &GroupNorm, x: Tensor<D>) -> Tensor<D> {
    let (shape, dtype) = (x.dims(), x.dtype());
    let groups: Tensor<3> =
        x.cast(DType::F32).reshape([shape[0] as i32, layer.num_groups as i32, -1]);
    let mut normed = standardised(groups, layer.epsilon).reshape(shape);
    let mut channels = [1; D];
    channels[1] = shape[1];
    if let (Some(gamma), Some(beta)) = (&layer.gamma, &layer.beta) {
        let row = |value: Tensor<1>| value.cast(DType::F32).reshape(channels);
        normed = normed * row(gamma.val()) + row(beta.val());
    }
    normed.cast(dtype)
}

/// Attention scores that may exist at once where burn may hold them all: 1 GiB in half precision.
/// Kernels of our own hold those of a few hundred rows.
const MOST_SCORES: usize = 1 << 29;

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
    if has_kernels(&query) {
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
    // Rows of queries whose scores may exist at once; a causal text is never that long.
    let rows = (MOST_SCORES / (batch * heads * context).max(1)).max(1);
    if rows < tokens && !causal {
        return attention_in_parts(query, key, value, heads, rows);
    }
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

/// Attention of `rows` query rows at a time, none of which sees another.
fn attention_in_parts(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    rows: usize,
) -> Tensor<3> {
    let tokens = query.dims()[1];
    let part = |start: usize| {
        let query = query.clone().narrow(1, start, rows.min(tokens - start));
        attention(query, key.clone(), value.clone(), heads, false)
    };
    Tensor::cat((0..tokens).step_by(rows).map(part).collect(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn attention_in_parts_is_attention() {
        let device = Device::flex();
        let random = |rows| {
            Tensor::<3>::random([2, rows, 16], Distribution::Default, &device).cast(DType::F16)
        };
        let (query, key, value) = (random(11), random(7), random(7));
        let whole = attention(query.clone(), key.clone(), value.clone(), 2, false);
        let parts = attention_in_parts(query, key, value, 2, 3);
        let error = (whole - parts).cast(DType::F32).abs().max().into_scalar::<f32>();
        assert!(error < 1e-3, "{error}");
    }
}
