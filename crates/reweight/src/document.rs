//! A schedule file that explains itself: what is done, to which blocks of which model, at which
//! noise levels, and where it comes from.

use serde::{Deserialize, Serialize};

use crate::{BlockWeights, FreeU, Policy, ReweightError};

/// The version of [`Schedule`] that is written.
pub const SCHEDULE_VERSION: u32 = 1;

/// Timestep and noise level of an inference step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseLevel {
    /// Training timestep.
    pub timestep: f64,
    /// Noise level σ, 0 or more.
    pub sigma: f64,
}

/// A model by its name and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleModel {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of its files, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How a schedule was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Method, for example `importance by derivative, weights in [0.98, 1.1]`.
    pub method: String,
    /// The prompt it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Noise seeds it was made with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// Samples of the U-Net that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unet_samples: Option<usize>,
    /// Seconds that it took, 0 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What a schedule file holds: a [`Policy`], and what it is of. Everything but the policy may be
/// absent, as in files of hand or of earlier versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Version of this format, 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// diffusers' paths of the blocks, in the order of the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// The model it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ScheduleModel>,
    /// How it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Timestep and noise level of every step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<NoiseLevel>>,
    /// Weights and skips of the attention blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlockWeights>,
    /// FreeU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeu: Option<FreeU>,
}

impl From<Policy> for Schedule {
    fn from(Policy { blocks, freeu }: Policy) -> Self {
        Self { version: Some(SCHEDULE_VERSION), blocks, freeu, ..Self::default() }
    }
}

impl Schedule {
    /// What is done.
    pub fn policy(&self) -> Policy {
        Policy { blocks: self.blocks.clone(), freeu: self.freeu }
    }

    /// Whether its parts fit each other.
    ///
    /// # Errors
    /// [`ReweightError::Value`] saying what does not.
    pub fn check(&self) -> Result<(), ReweightError> {
        let refuse = |reason: String| Err(ReweightError::Value(reason));
        if let Some(version) = self.version.filter(|version| *version != SCHEDULE_VERSION) {
            return refuse(format!("expected version {SCHEDULE_VERSION}, found {version}"));
        }
        if self.blocks.is_none() && self.freeu.is_none() {
            return refuse("expected `blocks` or `freeu`, found neither".into());
        }
        if let Some(freeu) = &self.freeu {
            freeu.check()?;
        }
        let seconds = self.origin.as_ref().and_then(|origin| origin.seconds);
        if let Some(seconds) = seconds.filter(|seconds| !(seconds.is_finite() && *seconds >= 0.0)) {
            return refuse(format!("`origin.seconds`: expected 0 or more, found {seconds}"));
        }
        let Some(blocks) = &self.blocks else { return Ok(()) };
        if let Some(paths) = self.paths.as_ref().filter(|paths| paths.len() != blocks.blocks()) {
            let (expected, found) = (blocks.blocks(), paths.len());
            return refuse(format!("`paths`: expected {expected}, one per block, found {found}"));
        }
        let Some(levels) = &self.steps else { return Ok(()) };
        if levels.len() != blocks.steps() {
            let (expected, found) = (blocks.steps(), levels.len());
            return refuse(format!("`steps`: expected {expected}, one per row, found {found}"));
        }
        let bad = |level: &NoiseLevel| {
            ![level.timestep, level.sigma].iter().all(|v| v.is_finite() && *v >= 0.0)
        };
        if let Some(at) = levels.windows(2).position(|pair| pair[0].sigma < pair[1].sigma) {
            return refuse(format!("`steps`: expected falling noise levels, found a rise at {at}"));
        }
        match levels.iter().position(bad) {
            Some(step) => refuse(format!(
                "`steps`: expected timesteps and noise levels of 0 or more, found {:?} at {step}",
                levels[step]
            )),
            None => Ok(()),
        }
    }

    /// Checks that its columns are these blocks, where it names them.
    ///
    /// # Errors
    /// [`ReweightError::Value`] naming the first that differs.
    pub fn check_paths(&self, paths: &[String]) -> Result<(), ReweightError> {
        let Some(own) = &self.paths else { return Ok(()) };
        let differs = own.iter().zip(paths).position(|(own, path)| own != path);
        let name = |paths: &[String], at: usize| paths.get(at).cloned().unwrap_or("none".into());
        let at = differs.or_else(|| (own.len() != paths.len()).then(|| own.len().min(paths.len())));
        match at {
            None => Ok(()),
            Some(at) => Err(ReweightError::Value(format!(
                "the schedule is for other blocks: expected `{}` as block {at}, found `{}`",
                name(paths, at),
                name(own, at)
            ))),
        }
    }

    /// The schedule in TOML.
    ///
    /// # Errors
    /// [`ReweightError::Value`] where it cannot be expressed.
    pub fn to_toml(&self) -> Result<String, ReweightError> {
        toml::to_string(self).map_err(|error| ReweightError::Value(error.to_string()))
    }
}
