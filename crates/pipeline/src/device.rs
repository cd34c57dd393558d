//! Which device a model runs on.

mod cuda;
mod torch;
mod wgpu;

use burn::tensor::{DType, Device, FloatDType};
use serde::{Deserialize, Serialize};

use crate::{PipelineError, Precision};

pub use cuda::nvidia_driver_present;

/// A device as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(usize),
    /// A device that WGPU reaches by Vulkan, Metal or DirectX 12, by its number: GPUs of their own
    /// first, processors that stand in for one last.
    Wgpu(usize),
    /// By PyTorch's kernels: an NVIDIA GPU by its number, or the processor.
    Torch(Option<usize>),
}

impl DeviceChoice {
    /// The device itself.
    ///
    /// # Errors
    /// [`PipelineError::Device`] in a build without that backend, or on a machine without that device.
    pub fn open(self) -> Result<Device, PipelineError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => cuda::open(index),
            Self::Wgpu(index) => wgpu::open(index),
            Self::Torch(index) => torch::open(index),
        }
    }

    /// What a device that [`Self::open`] gave is called; `None` for one of another kind.
    pub fn of(device: &Device) -> Option<Self> {
        if *device == Device::flex() {
            return Some(Self::Cpu);
        }
        let torch = || torch::index(device).map(Self::Torch);
        let wgpu = || wgpu::index(device).map(Self::Wgpu);
        cuda::index(device).map(Self::Cuda).or_else(wgpu).or_else(torch)
    }
}

/// Says so where `device` does not compute in `dtype`, which panics once it is asked to.
///
/// # Errors
/// [`PipelineError::Device`].
pub(crate) fn check_dtype(device: &Device, dtype: FloatDType) -> Result<(), PipelineError> {
    if device.supports_dtype(dtype) {
        return Ok(());
    }
    let device = DeviceChoice::of(device).map_or("this device".into(), |device| device.to_string());
    let dtype = Precision::of(DType::from(dtype)).name();
    Err(PipelineError::Device(format!(
        "{device} does not compute in {dtype}: use another data type or `--device cpu`"
    )))
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Wgpu(index) => write!(f, "wgpu:{index}"),
            Self::Torch(Some(index)) => write!(f, "torch:{index}"),
            Self::Torch(None) => f.write_str("torch:cpu"),
        }
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = PipelineError;

    /// Reads `cpu`, `cuda`, `wgpu` or `torch` (the first such device), those with `:n`, and
    /// `torch:cpu`.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        let (name, index) = match text.split_once(':') {
            None => (text, Some(0)),
            Some((name, index)) => (name, index.parse().ok()),
        };
        match (name, index) {
            ("cpu", _) if text == "cpu" => Ok(Self::Cpu),
            ("torch", _) if text == "torch:cpu" => Ok(Self::Torch(None)),
            ("cuda", Some(index)) => Ok(Self::Cuda(index)),
            ("wgpu", Some(index)) => Ok(Self::Wgpu(index)),
            ("torch", Some(index)) => Ok(Self::Torch(Some(index))),
            ("cuda" | "wgpu" | "torch", None) => Err(PipelineError::Device(format!(
                "expected `{name}:n` with a number, found `{text}`"
            ))),
            _ => Err(PipelineError::Device(format!(
                "expected a device `cpu`, `cuda`, `wgpu` or `torch`, the last three also with `:n`, \
                 or `torch:cpu`; found `{text}`"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_computes_in_every_precision() {
        for precision in Precision::ALL {
            check_dtype(&Device::flex(), precision.into()).unwrap();
        }
    }

    #[test]
    fn from_str_reads_what_display_writes_and_nothing_else() {
        use DeviceChoice::{Cpu, Cuda, Torch, Wgpu};
        let torch = [Torch(None), Torch(Some(0)), Torch(Some(1))];
        for device in [Cpu, Cuda(0), Cuda(3), Wgpu(0), Wgpu(2)].into_iter().chain(torch) {
            assert_eq!(device.to_string().parse::<DeviceChoice>().unwrap(), device);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), Cuda(0));
        assert_eq!("wgpu".parse::<DeviceChoice>().unwrap(), Wgpu(0));
        assert_eq!("torch".parse::<DeviceChoice>().unwrap(), Torch(Some(0)));
        for wrong in ["gpu", "cpu:9", "cpu:0", "cuda:", "cuda:x", "wgpu:", "wgpu:-1", "torch:", ""]
        {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
