//! The implemented scheduler classes and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SchedulerError;

/// The implemented scheduler classes.
///
/// Shown by its short name, the one of command lines; read from that or from diffusers' class
/// name; stored under the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SchedulerKind {
    /// `DDIMScheduler`.
    #[serde(rename = "DDIMScheduler")]
    Ddim,
    /// `EulerDiscreteScheduler` without churn.
    #[serde(rename = "EulerDiscreteScheduler")]
    Euler,
    /// `EulerAncestralDiscreteScheduler`: fresh noise after every step but the last.
    #[serde(rename = "EulerAncestralDiscreteScheduler")]
    EulerAncestral,
    /// `PNDMScheduler`, with Runge-Kutta steps or (`skip_prk_steps`) without.
    #[serde(rename = "PNDMScheduler")]
    Pndm,
    /// `HeunDiscreteScheduler`.
    #[serde(rename = "HeunDiscreteScheduler")]
    Heun,
    /// `DPMSolverMultistepScheduler`: DPM-Solver++ of order 1 or 2.
    #[serde(rename = "DPMSolverMultistepScheduler")]
    DpmSolverMultistep,
    /// The same class with `algorithm_type="sde-dpmsolver++"`: fresh noise after every step but the
    /// last.
    #[serde(rename = "DPMSolverMultistepScheduler(algorithm_type=sde-dpmsolver++)")]
    DpmSolverMultistepSde,
    /// `LCMScheduler`: fresh noise after every step but the last.
    #[serde(rename = "LCMScheduler")]
    Lcm,
    /// `DDIMInverseScheduler`: from clean latents to noise; no sampler, and not read from a name.
    #[serde(rename = "DDIMInverseScheduler")]
    DdimInverse,
}

impl SchedulerKind {
    /// Every class that makes latents from noise.
    pub const ALL: [Self; 8] = [
        Self::Ddim,
        Self::Euler,
        Self::EulerAncestral,
        Self::Pndm,
        Self::Heun,
        Self::DpmSolverMultistep,
        Self::DpmSolverMultistepSde,
        Self::Lcm,
    ];

    /// diffusers' class name, with the argument that makes the stochastic DPM-Solver of it.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerAncestral => "EulerAncestralDiscreteScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::Heun => "HeunDiscreteScheduler",
            Self::DpmSolverMultistep => "DPMSolverMultistepScheduler",
            Self::DpmSolverMultistepSde => {
                "DPMSolverMultistepScheduler(algorithm_type=sde-dpmsolver++)"
            }
            Self::Lcm => "LCMScheduler",
            Self::DdimInverse => "DDIMInverseScheduler",
        }
    }

    /// The class name that a file has which was written for it: DDIM's for DDIM backwards.
    pub(crate) fn class_of_file(self) -> &'static str {
        let name = match self {
            Self::DdimInverse => Self::Ddim.class_name(),
            _ => self.class_name(),
        };
        name.split_once('(').map_or(name, |(class, _)| class)
    }

    /// The short name used on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-a",
            Self::Pndm => "pndm",
            Self::Heun => "heun",
            Self::DpmSolverMultistep => "dpm++2m",
            Self::DpmSolverMultistepSde => "dpm++2m-sde",
            Self::Lcm => "lcm",
            Self::DdimInverse => "ddim-inverse",
        }
    }

    /// Whether steps of the class add fresh noise, under DDIM's η.
    pub fn adds_noise(self, eta: f64) -> bool {
        match self {
            Self::EulerAncestral | Self::DpmSolverMultistepSde | Self::Lcm => true,
            Self::Ddim => eta > 0.0,
            Self::Euler
            | Self::Pndm
            | Self::Heun
            | Self::DpmSolverMultistep
            | Self::DdimInverse => false,
        }
    }

    /// Whether the class can space σ by itself ([`SigmaSpacing`](crate::SigmaSpacing)), as
    /// diffusers' does.
    pub fn spaces_sigmas(self) -> bool {
        matches!(
            self,
            Self::Euler | Self::Heun | Self::DpmSolverMultistep | Self::DpmSolverMultistepSde
        )
    }

    /// The short names, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join("`, `")
    }
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SchedulerKind {
    type Err = SchedulerError;

    fn from_str(text: &str) -> Result<Self, SchedulerError> {
        let named = |kind: &Self| text == kind.name() || text == kind.class_name();
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| SchedulerError::Kind { found: text.into(), known: Self::names() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_from_both_of_its_names() {
        for kind in SchedulerKind::ALL {
            assert_eq!(kind.to_string().parse::<SchedulerKind>().unwrap(), kind);
            assert_eq!(kind.class_name().parse::<SchedulerKind>().unwrap(), kind);
        }
        let error = "unipc".parse::<SchedulerKind>().unwrap_err().to_string();
        assert!(error.contains("`ddim`, `euler`, `euler-a`, `pndm`, `heun`, `dpm++2m`"), "{error}");
        assert!(error.contains("found `unipc`"), "{error}");
        assert!("ddim-inverse".parse::<SchedulerKind>().is_err());
    }
}
