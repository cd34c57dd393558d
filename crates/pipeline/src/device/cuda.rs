//! NVIDIA GPUs by CUDA.

use burn::tensor::Device;

use crate::PipelineError;

/// GPUs of the largest machines.
#[cfg(feature = "cuda")]
const MOST_GPUS: usize = 16;

/// The number of a GPU that [`open`] gave.
#[cfg(feature = "cuda")]
pub(super) fn index(device: &Device) -> Option<usize> {
    (0..MOST_GPUS).find(|index| *device == Device::cuda(*index))
}

#[cfg(not(feature = "cuda"))]
pub(super) fn index(_device: &Device) -> Option<usize> {
    None
}

/// Whether the machine seems to have an NVIDIA driver; only Linux can tell without asking it.
pub fn nvidia_driver_present() -> bool {
    // The driver's control device, and WSL's.
    const DEVICES: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];
    !cfg!(target_os = "linux") || DEVICES.iter().any(|path| std::path::Path::new(path).exists())
}

/// What to do where there is no driver.
const NO_DRIVER: &str = "this machine has no NVIDIA driver (no /dev/nvidiactl): install the \
    driver and the CUDA toolkit's NVRTC library, so that `nvidia-smi` lists the GPU; then build \
    with `--features cuda`, or use `--device cpu`";

/// The GPU `index`.
#[cfg(feature = "cuda")]
pub(super) fn open(index: usize) -> Result<Device, PipelineError> {
    if !nvidia_driver_present() {
        return Err(PipelineError::Device(NO_DRIVER.into()));
    }
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().len();
    if index < found {
        return Ok(Device::cuda(index));
    }
    Err(PipelineError::Device(format!(
        "CUDA device {index} was asked for, {found} found: `nvidia-smi` must list the GPU, and the \
         CUDA toolkit's NVRTC library must be installed; or use `--device cpu`"
    )))
}

/// What is missing.
#[cfg(not(feature = "cuda"))]
pub(super) fn open(_index: usize) -> Result<Device, PipelineError> {
    Err(PipelineError::Device(match nvidia_driver_present() {
        true => "this build has no CUDA support: build with `--features cuda`, or use `--device \
                 cpu`"
            .into(),
        false => NO_DRIVER.into(),
    }))
}
