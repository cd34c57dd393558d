use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    BetaSchedule, Ddim, DpmSolverMultistep, Euler, Pndm, PredictionType, Scheduler, SchedulerError,
    SchedulerKind, SolverType, TimestepSpacing,
};

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
    /// Whether the step after the last has ᾱ = 1 instead of ᾱ₀ (DDIM, PNDM); `None` is the class's
    /// default.
    pub set_alpha_to_one: Option<bool>,
    /// Whether predicted clean samples are clamped (DDIM); `None` is the class's default.
    pub clip_sample: Option<bool>,
    /// Bound of that clamp.
    pub clip_sample_range: f64,
    /// Whether β is rescaled so that the last timestep is pure noise.
    pub rescale_betas_zero_snr: bool,
    /// Whether predicted clean samples are clamped to a percentile of their own (DDIM, DPM-Solver).
    pub thresholding: bool,
    /// That percentile, as a share.
    pub dynamic_thresholding_ratio: f64,
    /// Largest bound of that clamp.
    pub sample_max_value: f64,
    /// Order of DPM-Solver: 1 or 2.
    pub solver_order: usize,
    /// DPM-Solver's second-order formula.
    pub solver_type: SolverType,
    /// Whether σ follows Karras et al. (Euler, DPM-Solver).
    pub use_karras_sigmas: bool,
    /// Least σ of the Karras schedule.
    pub sigma_min: Option<f64>,
    /// Largest σ of the Karras schedule.
    pub sigma_max: Option<f64>,
    /// DDIM's η, from 0 (deterministic) to 1 (as noisy as DDPM); no part of the file.
    #[serde(skip)]
    pub eta: f64,
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
            set_alpha_to_one: None,
            clip_sample: None,
            clip_sample_range: 1.0,
            rescale_betas_zero_snr: false,
            thresholding: false,
            dynamic_thresholding_ratio: 0.995,
            sample_max_value: 1.0,
            solver_order: 2,
            solver_type: SolverType::Midpoint,
            use_karras_sigmas: false,
            sigma_min: None,
            sigma_max: None,
            eta: 0.0,
            rest: Map::new(),
        }
    }
}

/// Keys of other classes, or with only one implemented value (null and false are always fine).
///
/// The last step of DPM-Solver is of first order anyway, because its σ is 0.
const FIXED: [(&str, &[&str]); 12] = [
    ("algorithm_type", &["\"dpmsolver++\""]),
    ("euler_at_final", &[]),
    ("final_sigmas_type", &["\"zero\""]),
    ("flow_shift", &[]),
    ("interpolation_type", &["\"linear\""]),
    ("lambda_min_clipped", &["null"]),
    ("lower_order_final", &[]),
    ("skip_prk_steps", &["true"]),
    ("timestep_type", &["\"discrete\""]),
    ("trained_betas", &["null"]),
    ("use_lu_lambdas", &["false"]),
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
        // Python writes infinity as no JSON reader but its own expects it.
        let text = text.replace(": -Infinity", ": null");
        let config: Self = serde_json::from_str(&text)
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
    /// [`SchedulerError::Kind`] where it is not among [`SchedulerKind`].
    pub fn kind(&self) -> Result<SchedulerKind, SchedulerError> {
        self.class_name.parse()
    }

    /// An error where the model predicts clean samples, which `kind` has no code for.
    pub(crate) fn refuse_sample_prediction(
        &self,
        kind: SchedulerKind,
    ) -> Result<(), SchedulerError> {
        match self.prediction_type {
            PredictionType::Sample => Err(SchedulerError::Unimplemented {
                key: "prediction_type".into(),
                found: format!("\"sample\" with {}", kind.class_name()),
            }),
            _ => Ok(()),
        }
    }

    /// A scheduler of class `kind`, whatever class the configuration was written for.
    ///
    /// As in diffusers, PNDM runs the U-Net once more than `num_inference_steps` says; see
    /// [`Self::build_for_calls`].
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Unimplemented`] for a value that `kind` has no code for.
    pub fn build(
        &self,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(match kind {
            SchedulerKind::Ddim => Box::new(Ddim::new(self, num_inference_steps)?),
            SchedulerKind::Euler => Box::new(Euler::new(self, num_inference_steps)?),
            SchedulerKind::EulerAncestral => Box::new(Euler::ancestral(self, num_inference_steps)?),
            SchedulerKind::Pndm => Box::new(Pndm::new(self, num_inference_steps)?),
            SchedulerKind::DpmSolverMultistep => {
                Box::new(DpmSolverMultistep::new(self, num_inference_steps)?)
            }
        })
    }

    /// A scheduler that runs the U-Net `calls` times.
    ///
    /// Weights are given for every call, so PNDM is asked for one inference step less (so do the
    /// paper's authors, `util/pipeline_util.py`).
    ///
    /// # Errors
    /// As [`Self::build`]; [`SchedulerError::PndmCalls`] for two calls of PNDM.
    pub fn build_for_calls(
        &self,
        kind: SchedulerKind,
        calls: usize,
    ) -> Result<Box<dyn Scheduler>, SchedulerError> {
        match (kind, calls) {
            (SchedulerKind::Pndm, 2) => Err(SchedulerError::PndmCalls),
            (SchedulerKind::Pndm, 3..) => self.build(kind, calls - 1),
            _ => self.build(kind, calls),
        }
    }
}
