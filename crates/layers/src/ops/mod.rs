//! Activations, norms, convolutions and attention in the form that is fastest on the device at
//! hand: kernels of our own for f32 on the CPU, burn's operations everywhere else.

mod activation;
mod autodiff;
mod extension;
mod kernels;
mod layer;
mod shapes;

pub use activation::{geglu, gelu, quick_gelu, silu};
pub use layer::{attention, conv2d, group_norm, group_norm_silu, layer_norm, linear};

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};

/// Whether our CPU kernels can take `x`.
fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}
