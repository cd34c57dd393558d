//! Where and in which data type models compute, and how far that may take them from the reference.

use burn::tensor::{Device, FloatDType};
use pipeline::{DeviceChoice, PipelineError, Precision};

use crate::report::Bound;

/// The bound for f32 off the CPU, relative to the largest value. Sums run in another order,
/// exponentials and roots are off by several units in the last place (WebGPU allows that), and
/// matrix units may read f32 with 10 bits of mantissa (TF32), each operand off by 5e-4.
const F32: f64 = 1e-3;
/// The bound for f16, relative to the root mean square: a rounding is 5e-4, which the networks of
/// random weights enlarge by up to 37 in one pass (measured on the CPU; in f32 the reference's own
/// noise is as many roundings). Single values move further.
const F16: f64 = 2.5e-2;
/// The bound for bf16, whose rounding of 4e-3 is eight times that of f16.
const BF16: f64 = 0.2;

/// Where and in which data type models compute.
#[derive(Debug, Clone)]
pub struct Arithmetic {
    /// The device that models and what they are fed are on.
    pub(crate) device: Device,
    /// The data type of the pipelines' weights; networks of metrics are always f32.
    pub(crate) dtype: Precision,
    exact: bool,
}

impl Arithmetic {
    /// Arithmetic on `device` with weights of the type `dtype`.
    ///
    /// # Errors
    /// [`PipelineError::Device`] where the machine or the build has no such device.
    pub fn open(device: DeviceChoice, dtype: Precision) -> Result<Self, PipelineError> {
        let exact = device == DeviceChoice::Cpu;
        Ok(Self { device: device.open()?, dtype, exact })
    }

    /// The data type of the pipelines' weights.
    pub(crate) fn float(&self) -> FloatDType {
        self.dtype.into()
    }

    /// How far results in `dtype` may lie from the reference.
    pub(crate) fn bound(&self, dtype: Precision) -> Bound {
        match dtype {
            Precision::F32 if self.exact => Bound::Tolerance,
            Precision::F32 => Bound::Largest(F32),
            Precision::F16 => Bound::RootMeanSquare(F16),
            Precision::BF16 => Bound::RootMeanSquare(BF16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_in_f32_keeps_the_tolerances_and_shorter_types_are_wider() {
        let cpu = Arithmetic::open(DeviceChoice::Cpu, Precision::F32).unwrap();
        assert_eq!(cpu.bound(Precision::F32), Bound::Tolerance);
        let gpu = Arithmetic { exact: false, ..cpu.clone() };
        assert_eq!(gpu.bound(Precision::F32), Bound::Largest(F32));
        assert_eq!(cpu.bound(Precision::F16), gpu.bound(Precision::F16));
    }
}
