//! Where our own kernels can run.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};

/// Whether `x` is on the CPU.
pub(crate) fn is_flex<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether `x` is on a device of PyTorch's.
#[cfg(feature = "tch")]
fn is_torch<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::LibTorch(_))
}

#[cfg(not(feature = "tch"))]
fn is_torch<const D: usize>(_x: &Tensor<D>) -> bool {
    false
}

/// Whether there are kernels for layers that can take `x`: ours in f32 on the CPU, PyTorch's.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && is_flex(x) || is_torch(x)
}
