//! Any GPU by WGPU: Vulkan, Metal or DirectX 12.

use burn::tensor::Device;

use crate::PipelineError;

/// What to do where there is no device.
#[cfg(feature = "wgpu")]
const NO_ADAPTER: &str = "WGPU finds no device: install the GPU's Vulkan driver and the loader \
    (libvulkan.so.1), so that `vulkaninfo --summary` lists the GPU (Mesa's lavapipe stands in for \
    one on the processor), or use `--device cpu`";

/// All devices, in the order of their numbers: GPUs of their own, GPUs in processors, those of
/// virtual machines, others, and processors that stand in for one.
#[cfg(feature = "wgpu")]
fn devices() -> &'static [Device] {
    use burn::tensor::{DeviceKind, DeviceType};

    static DEVICES: std::sync::OnceLock<Vec<Device>> = std::sync::OnceLock::new();
    /// GPUs of the largest machines.
    const MOST_GPUS: usize = 16;
    DEVICES.get_or_init(|| {
        let rank = |device: &Device| {
            let is = |kind: fn(usize) -> DeviceKind| {
                (0..MOST_GPUS).any(|index| *device == Device::wgpu(kind(index)))
            };
            let kinds =
                [DeviceKind::DiscreteGpu, DeviceKind::IntegratedGpu, DeviceKind::VirtualGpu];
            let processor = *device == Device::wgpu(DeviceKind::Cpu);
            let gpu = kinds.into_iter().position(is);
            gpu.unwrap_or(kinds.len() + usize::from(processor))
        };
        let mut devices = Device::enumerate(DeviceType::Wgpu).into_vec();
        devices.sort_by_key(rank);
        devices
    })
}

/// The number of a device that [`open`] gave.
#[cfg(feature = "wgpu")]
pub(super) fn index(device: &Device) -> Option<usize> {
    devices().iter().position(|other| other == device)
}

#[cfg(not(feature = "wgpu"))]
pub(super) fn index(_device: &Device) -> Option<usize> {
    None
}

/// The device `index`.
#[cfg(feature = "wgpu")]
pub(super) fn open(index: usize) -> Result<Device, PipelineError> {
    let devices = devices();
    match devices.get(index) {
        Some(device) => Ok(device.clone()),
        None if devices.is_empty() => Err(PipelineError::Device(NO_ADAPTER.into())),
        None => Err(PipelineError::Device(format!(
            "WGPU device {index} was asked for, {} found, counted from 0: `vulkaninfo --summary` \
             lists them; or use `--device cpu`",
            devices.len()
        ))),
    }
}

/// What is missing.
#[cfg(not(feature = "wgpu"))]
pub(super) fn open(_index: usize) -> Result<Device, PipelineError> {
    Err(PipelineError::Device(
        "this build has no WGPU support: build with `--features wgpu`, or use `--device cpu`"
            .into(),
    ))
}
