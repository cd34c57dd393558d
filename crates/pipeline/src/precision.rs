//! The floating-point types that weights are kept and noise is drawn in.

use burn::tensor::{DType, FloatDType};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use crate::PipelineError;

/// A floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits (`torch.float32`).
    #[default]
    F32,
    /// 16 bits, IEEE half precision (`torch.float16`).
    F16,
    /// 16 bits with the exponents of f32 (`torch.bfloat16`).
    BF16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::BF16];

    /// `f32`, `f16` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        }
    }

    /// That of a tensor; f32 for types that are none of these.
    pub fn of(dtype: DType) -> Self {
        match dtype {
            DType::F16 => Self::F16,
            DType::BF16 => Self::BF16,
            _ => Self::F32,
        }
    }

    /// `value` as this type holds it.
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::BF16 => bf16::from_f32(value).to_f32(),
        }
    }
}

impl From<Precision> for FloatDType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::BF16 => Self::BF16,
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Precision {
    type Err = PipelineError;

    /// Reads `f32`, `f16` or `bf16`.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| {
            PipelineError::Device(format!(
                "expected a data type `f32`, `f16` or `bf16`, found `{text}`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_reads_what_display_writes() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
        }
        let error = "fp16".parse::<Precision>().unwrap_err().to_string();
        assert!(error.contains("`fp16`"), "{error}");
    }
}
