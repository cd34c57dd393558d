use burn::tensor::{Device, FloatDType};

use crate::PipelineError;

/// The device called `name`: `cpu`, `cuda` or `cuda:n`.
///
/// # Errors
/// [`PipelineError::Device`] for an unknown name, a build without CUDA or a machine without it.
pub fn parse_device(name: &str) -> Result<Device, PipelineError> {
    match name.split_once(':').unwrap_or((name, "0")) {
        ("cpu", _) => Ok(Device::flex()),
        ("cuda", index) => {
            let index = index.parse().map_err(|_| {
                PipelineError::Device(format!("expected `cuda:n` with a number, found `{name}`"))
            })?;
            cuda(index)
        }
        _ => Err(PipelineError::Device(format!(
            "expected a device `cpu`, `cuda` or `cuda:n`, found `{name}`"
        ))),
    }
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

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, PipelineError> {
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

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device, PipelineError> {
    Err(PipelineError::Device(match nvidia_driver_present() {
        true => "this build has no CUDA support: build with `--features cuda`, or use `--device \
                 cpu`"
            .into(),
        false => NO_DRIVER.into(),
    }))
}

/// The data type called `name`: `f32`, `f16` or `bf16`.
///
/// # Errors
/// [`PipelineError::Device`] for another name.
pub fn parse_dtype(name: &str) -> Result<FloatDType, PipelineError> {
    match name {
        "f32" => Ok(FloatDType::F32),
        "f16" => Ok(FloatDType::F16),
        "bf16" => Ok(FloatDType::BF16),
        _ => Err(PipelineError::Device(format!(
            "expected a data type `f32`, `f16` or `bf16`, found `{name}`"
        ))),
    }
}
