//! Activations, on the CPU by kernels of our own, on LibTorch's devices by PyTorch's.

use burn::backend::Dispatch;
use burn::tensor::{Tensor, activation};

use crate::device::has_kernels;
use crate::extension::LayerOps;

/// SiLU, `x · σ(x)`, element by element.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(<Dispatch as LayerOps>::layer_silu(x.into_dispatch()));
    }
    activation::silu(x)
}

/// The exact GELU, `x · Φ(x)` with the error function (not its tanh approximation).
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(<Dispatch as LayerOps>::layer_gelu(x.into_dispatch()));
    }
    activation::gelu(x)
}

/// OpenAI CLIP's GELU, `x · σ(1.702 x)`.
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    silu(x * 1.702) / 1.702
}

/// GEGLU: splits the last dimension in two halves `a`, `b` and returns `a · gelu(b)`.
///
/// # Shapes
/// - input: `[batch, tokens, 2 · inner]`
/// - output: `[batch, tokens, inner]`
pub fn geglu(x: Tensor<3>) -> Tensor<3> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(<Dispatch as LayerOps>::layer_geglu(x.into_dispatch()));
    }
    let inner = x.dims()[2] / 2;
    let gate = x.clone().narrow(2, inner, inner);
    x.narrow(2, 0, inner) * activation::gelu(gate)
}
