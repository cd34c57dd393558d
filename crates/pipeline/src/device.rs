//! Which device a model runs on.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::PipelineError;

/// A device as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(usize),
}

impl DeviceChoice {
    /// The device itself.
    ///
    /// # Errors
    /// [`PipelineError::Device`] in a build without CUDA, or on a machine without that GPU.
    pub fn open(self) -> Result<Device, PipelineError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => cuda(index),
        }
    }

    /// What a device that [`Self::open`] gave is called; `None` for one of another kind.
    pub fn of(device: &Device) -> Option<Self> {
        if *device == Device::flex() {
            return Some(Self::Cpu);
        }
        #[cfg(feature = "cuda")]
        return (0..MOST_GPUS).find(|index| *device == Device::cuda(*index)).map(Self::Cuda);
        #[cfg(not(feature = "cuda"))]
        None
    }
}

/// GPUs of the largest machines.
#[cfg(feature = "cuda")]
const MOST_GPUS: usize = 16;

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = PipelineError;

    /// Reads `cpu`, `cuda` (the first GPU) or `cuda:n`.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| {
                PipelineError::Device(format!("expected `cuda:n` with a number, found `{text}`"))
            }),
            _ => Err(PipelineError::Device(format!(
                "expected a device `cpu`, `cuda` or `cuda:n`, found `{text}`"
            ))),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = PipelineError;

    fn try_from(text: String) -> Result<Self, PipelineError> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(device: DeviceChoice) -> Self {
        device.to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_reads_what_display_writes_and_nothing_else() {
        for device in [DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::Cuda(3)] {
            assert_eq!(device.to_string().parse::<DeviceChoice>().unwrap(), device);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for wrong in ["gpu", "cpu:9", "cuda:", "cuda:x", ""] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
