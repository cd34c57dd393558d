//! Where our own kernels can run.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};

/// Whether `x` is on the CPU.
pub(crate) fn is_flex<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether our CPU kernels can take `x`.
pub(crate) fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && is_flex(x)
}
