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
    /// `DPMSolverMultistepScheduler`: DPM-Solver++ of order 1 or 2.
    #[serde(rename = "DPMSolverMultistepScheduler")]
    DpmSolverMultistep,
}

impl SchedulerKind {
    /// Every class.
    pub const ALL: [Self; 5] =
        [Self::Ddim, Self::Euler, Self::EulerAncestral, Self::Pndm, Self::DpmSolverMultistep];

    /// diffusers' class name.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerAncestral => "EulerAncestralDiscreteScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::DpmSolverMultistep => "DPMSolverMultistepScheduler",
        }
    }

    /// The short name used on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-a",
            Self::Pndm => "pndm",
            Self::DpmSolverMultistep => "dpm++2m",
        }
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
        let error = "heun".parse::<SchedulerKind>().unwrap_err().to_string();
        assert!(error.contains("`ddim`, `euler`, `euler-a`, `pndm`, `dpm++2m`"), "{error}");
        assert!(error.contains("found `heun`"), "{error}");
    }
}
