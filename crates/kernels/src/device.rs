//! Where there are kernels for layers.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

/// Whether `x` is on the CPU.
pub(crate) fn is_flex<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether `device` is one of PyTorch's, which has a graph of its own for gradients.
#[cfg(feature = "tch")]
pub fn is_torch(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::LibTorch(_))
}

/// Whether `device` is one of PyTorch's: never, without the feature `tch`.
#[cfg(not(feature = "tch"))]
pub fn is_torch(_device: &Device) -> bool {
    false
}

/// Whether there are kernels for layers that can take `x`: ours in f32 on the CPU, PyTorch's.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && is_flex(x) || is_torch(&x.device())
}
