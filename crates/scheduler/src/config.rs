use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Ddim, Euler, Scheduler, SchedulerError};

/// What the U-Net predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise ε.
    Epsilon,
    /// The velocity v = √ᾱ ε − √(1−ᾱ) x₀.
    VPrediction,
    /// The clean sample x₀.
    Sample,
}

/// How the inference steps are spread over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Evenly from first to last, both included.
    Linspace,
    /// Multiples of `num_train_timesteps / n`, plus `steps_offset`.
    Leading,
    /// Counted from the last timestep downwards.
    Trailing,
}

/// How β grows over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BetaSchedule {
    /// Linearly.
    #[serde(rename = "linear")]
    Linear,
    /// Its square root grows linearly.
    #[serde(rename = "scaled_linear")]
    ScaledLinear,
    /// By the cosine of ᾱ (Nichol and Dhariwal).
    #[serde(rename = "squaredcos_cap_v2")]
    SquaredcosCapV2,
}

/// The implemented scheduler classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchedulerKind {
    /// `DDIMScheduler`, η = 0.
    #[serde(rename = "DDIMScheduler")]
    Ddim,
    /// `EulerDiscreteScheduler` without churn.
    #[serde(rename = "EulerDiscreteScheduler")]
    Euler,
}

impl SchedulerKind {
    /// diffusers' class name.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
        }
    }
}

/// A pipeline's `scheduler_config.json`.
///
/// As diffusers' `from_config` does, one configuration can be read as any class: see
/// [`SchedulerConfig::build`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// Class the file was written for, implemented or not.
    #[serde(rename = "_class_name")]
    pub class_name: String,
    /// Number of training timesteps.
    pub num_train_timesteps: usize,
    /// First β.
    pub beta_start: f64,
    /// Last β.
    pub beta_end: f64,
    /// How β grows.
    pub beta_schedule: BetaSchedule,
    /// What the U-Net predicts.
    pub prediction_type: PredictionType,
    /// Spread of the inference steps; `None` is the class's default.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to every timestep of the leading spacing.
    pub steps_offset: usize,
    /// Whether the step after the last has ᾱ = 1 instead of ᾱ₀ (DDIM).
    pub set_alpha_to_one: bool,
    /// Whether predicted clean samples are clamped (DDIM); `None` is the class's default.
    pub clip_sample: Option<bool>,
    /// Bound of that clamp.
    pub clip_sample_range: f64,
    /// Whether β is rescaled so that the last timestep is pure noise.
    pub rescale_betas_zero_snr: bool,
    /// Whether σ follows Karras et al. (Euler).
    pub use_karras_sigmas: bool,
    /// Least σ of the Karras schedule.
    pub sigma_min: Option<f64>,
    /// Largest σ of the Karras schedule.
    pub sigma_max: Option<f64>,
    /// Everything else in the file; checked when it is read.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            class_name: SchedulerKind::Ddim.class_name().into(),
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: None,
            steps_offset: 0,
            set_alpha_to_one: true,
            clip_sample: None,
            clip_sample_range: 1.0,
            rescale_betas_zero_snr: false,
            use_karras_sigmas: false,
            sigma_min: None,
            sigma_max: None,
            rest: Map::new(),
        }
    }
}

/// Keys of other classes, or with only one implemented value (null and false are always fine).
const FIXED: [(&str, &[&str]); 11] = [
    ("final_sigmas_type", &["\"zero\""]),
    ("interpolation_type", &["\"linear\""]),
    ("timestep_type", &["\"discrete\""]),
    ("dynamic_thresholding_ratio", &[]),
    ("sample_max_value", &[]),
    ("skip_prk_steps", &["true"]),
    ("thresholding", &["false"]),
    ("trained_betas", &["null"]),
    ("use_beta_sigmas", &["false"]),
    ("use_exponential_sigmas", &["false"]),
    ("variance_type", &[]),
];

impl SchedulerConfig {
    /// Reads a `scheduler_config.json`.
    ///
    /// # Errors
    /// [`SchedulerError`] naming the key that is broken or not implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SchedulerError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| SchedulerError::Io { path: path.into(), source })?;
        Self::from_json(&text)
    }

    /// Reads the text of a `scheduler_config.json`.
    ///
    /// # Errors
    /// [`SchedulerError`] naming the key that is broken or not implemented.
    pub fn from_json(text: &str) -> Result<Self, SchedulerError> {
        let config: Self = serde_json::from_str(text)
            .map_err(|error| SchedulerError::Config(error.to_string()))?;
        for (key, value) in &config.rest {
            let off = value.is_null() || *value == Value::Bool(false) || key.starts_with('_');
            let fixed = FIXED.iter().find(|(name, _)| name == key);
            let known = fixed.is_some_and(|(_, allowed)| {
                allowed.is_empty() || allowed.contains(&value.to_string().as_str())
            });
            if !off && !known {
                return Err(SchedulerError::Unimplemented {
                    key: key.clone(),
                    found: value.to_string(),
                });
            }
        }
        if config.num_train_timesteps == 0 || config.num_train_timesteps > 1_000_000 {
            return Err(SchedulerError::Config(format!(
                "`num_train_timesteps` = {} must be from 1 to 1000000",
                config.num_train_timesteps
            )));
        }
        if !(0.0 < config.beta_start
            && config.beta_start <= config.beta_end
            && config.beta_end < 1.0)
        {
            return Err(SchedulerError::Config(format!(
                "expected 0 < `beta_start` <= `beta_end` < 1, found {} and {}",
                config.beta_start, config.beta_end
            )));
        }
        Ok(config)
    }

    /// The class the file was written for.
    ///
    /// # Errors
    /// [`SchedulerError::Unimplemented`] where it is not among [`SchedulerKind`].
    pub fn kind(&self) -> Result<SchedulerKind, SchedulerError> {
        [SchedulerKind::Ddim, SchedulerKind::Euler]
            .into_iter()
            .find(|kind| kind.class_name() == self.class_name)
            .ok_or_else(|| SchedulerError::Unimplemented {
                key: "_class_name".into(),
                found: format!("{:?} (read it as DDIM or Euler instead)", self.class_name),
            })
    }

    /// A scheduler of class `kind` with `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps.
    pub fn build(
        &self,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(match kind {
            SchedulerKind::Ddim => Box::new(Ddim::new(self, num_inference_steps)?),
            SchedulerKind::Euler => Box::new(Euler::new(self, num_inference_steps)?),
        })
    }
}
