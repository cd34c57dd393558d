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

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, PipelineError> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().len();
    if index < found {
        return Ok(Device::cuda(index));
    }
    Err(PipelineError::Device(format!(
        "CUDA device {index} was asked for, {found} found: install the NVIDIA driver and the CUDA \
         toolkit's NVRTC library (`nvidia-smi` must list the GPU), or use `--device cpu`"
    )))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device, PipelineError> {
    Err(PipelineError::Device(
        "this build has no CUDA support: build with `--features cuda`, or use `--device cpu`"
            .into(),
    ))
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
