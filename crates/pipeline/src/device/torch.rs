//! NVIDIA GPUs, and the processor, by PyTorch's C++ library.

use burn::tensor::Device;

use crate::PipelineError;

/// The device `index`, or the processor.
#[cfg(feature = "tch")]
pub(super) fn open(index: Option<usize>) -> Result<Device, PipelineError> {
    let Some(index) = index else { return Ok(Device::libtorch()) };
    let found = gpus();
    if index < found {
        return Ok(Device::libtorch_cuda(index));
    }
    Err(PipelineError::Device(format!(
        "PyTorch's CUDA device {index} was asked for, {found} found: `nvidia-smi` must list the \
         GPU, and LibTorch must be one with CUDA; or use `--device torch:cpu` or `--device cpu`"
    )))
}

/// What [`open`] was asked for when it gave this device.
#[cfg(feature = "tch")]
pub(super) fn index(device: &Device) -> Option<Option<usize>> {
    if *device == Device::libtorch() {
        return Some(None);
    }
    (0..gpus()).find(|index| *device == Device::libtorch_cuda(*index)).map(Some)
}

/// GPUs that PyTorch finds.
#[cfg(feature = "tch")]
fn gpus() -> usize {
    usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
}

#[cfg(not(feature = "tch"))]
pub(super) fn index(_device: &Device) -> Option<Option<usize>> {
    None
}

/// What is missing.
#[cfg(not(feature = "tch"))]
pub(super) fn open(_index: Option<usize>) -> Result<Device, PipelineError> {
    Err(PipelineError::Device(
        "this build has no PyTorch in it: build with `--features tch`, or use `--device cpu`"
            .into(),
    ))
}
