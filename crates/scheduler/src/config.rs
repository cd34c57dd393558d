//! A scheduler configuration, and the scheduler of any class that it describes.

use crate::{
    AlgorithmType, BetaSchedule, Ddim, DdimInverse, DpmSolverMultistep, Euler, Heun, Lcm, Pndm,
    PredictionType, Scheduler, SchedulerError, SchedulerKind, SigmaSpacing, SolverType,
    TimestepSpacing,
};

/// A pipeline's `scheduler_config.json`.
///
/// As diffusers' `from_config` does, one configuration can be read as any class: see
/// [`SchedulerConfig::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulerConfig {
    /// diffusers' name of the class the file was written for, implemented or not.
    pub class_name: Option<String>,
    /// Number of training timesteps, from 1 to 1,000,000.
    pub num_train_timesteps: usize,
    /// First β, above 0.
    pub beta_start: f64,
    /// Last β, below 1.
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
    /// Bound of that clamp, above 0.
    pub clip_sample_range: f64,
    /// Whether β is rescaled so that the last timestep is pure noise.
    pub rescale_betas_zero_snr: bool,
    /// Whether predicted clean samples are clamped to a percentile of their own (DDIM, DPM-Solver).
    pub thresholding: bool,
    /// That percentile, as a share from 0 to 1.
    pub dynamic_thresholding_ratio: f64,
    /// Largest bound of that clamp, at least 1.
    pub sample_max_value: f64,
    /// Whether PNDM leaves out its Runge-Kutta steps.
    pub skip_prk_steps: bool,
    /// Order of DPM-Solver, 1 to 3; 3 is not implemented.
    pub solver_order: usize,
    /// DPM-Solver's second-order formula.
    pub solver_type: SolverType,
    /// Which equation DPM-Solver solves where the file's own class is asked for.
    pub algorithm_type: AlgorithmType,
    /// What is evenly spread over a run (Euler, Heun, DPM-Solver).
    pub sigma_spacing: SigmaSpacing,
    /// Least σ where σ is spaced by itself, above 0.
    pub sigma_min: Option<f64>,
    /// Largest σ where σ is spaced by itself, above 0.
    pub sigma_max: Option<f64>,
    /// Steps that an LCM was distilled from, 1 or more.
    pub original_inference_steps: usize,
    /// Factor of the timesteps in the boundary condition of an LCM, above 0.
    pub timestep_scaling: f64,
    /// DDIM's η, from 0 (deterministic) to 1 (as noisy as DDPM); no part of the file.
    pub eta: f64,
    /// Keys that the file lacks and for which classes have defaults of their own: a scheduler of
    /// another class has that class's there.
    pub absent: Vec<&'static str>,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            class_name: None,
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
            skip_prk_steps: false,
            solver_order: 2,
            solver_type: SolverType::Midpoint,
            algorithm_type: AlgorithmType::Ode,
            sigma_spacing: SigmaSpacing::Timesteps,
            sigma_min: None,
            sigma_max: None,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
            eta: 0.0,
            absent: Vec::new(),
        }
    }
}

impl SchedulerConfig {
    /// The class the file was written for.
    ///
    /// # Errors
    /// [`SchedulerError::NoClass`] where it does not say, [`SchedulerError::Kind`] where that is
    /// not among [`SchedulerKind`].
    pub fn kind(&self) -> Result<SchedulerKind, SchedulerError> {
        let kind = match &self.class_name {
            Some(name) => name.parse()?,
            None => return Err(SchedulerError::NoClass { known: SchedulerKind::names() }),
        };
        Ok(match (kind, self.algorithm_type) {
            (SchedulerKind::DpmSolverMultistep, AlgorithmType::Sde) => {
                SchedulerKind::DpmSolverMultistepSde
            }
            _ => kind,
        })
    }

    /// What diffusers takes for absent keys in a file of the class of that name.
    pub(crate) fn of_class(name: Option<&str>) -> Self {
        let latent = Self { beta_start: 0.00085, beta_end: 0.012, ..Self::default() };
        match name {
            Some("HeunDiscreteScheduler") => latent,
            Some("LCMScheduler") => Self { beta_schedule: BetaSchedule::ScaledLinear, ..latent },
            _ => Self::default(),
        }
    }

    /// The configuration as a scheduler of class `kind` sees it (diffusers' `from_config`): what the
    /// file says, and where it lacks a key and was written for another class, that class's default.
    pub fn as_class(&self, kind: SchedulerKind) -> Self {
        let mut config = self.clone();
        let class = kind.class_of_file();
        if self.class_name.as_deref().is_none_or(|own| own == class) {
            return config;
        }
        let default = Self::of_class(Some(class));
        for key in std::mem::take(&mut config.absent) {
            match key {
                "beta_start" => config.beta_start = default.beta_start,
                "beta_end" => config.beta_end = default.beta_end,
                "beta_schedule" => config.beta_schedule = default.beta_schedule,
                "steps_offset" => config.steps_offset = default.steps_offset,
                "clip_sample" => config.clip_sample = default.clip_sample,
                _ => {}
            }
        }
        config.class_name = Some(class.into());
        config
    }

    /// As a pipeline of Stable Diffusion 1.x or 2.x corrects the scheduler it was given (diffusers'
    /// `StableDiffusionPipeline`): timesteps are counted from 1, clean samples are not clamped.
    pub fn corrected_for_latents(mut self) -> Self {
        self.steps_offset = 1.min(self.num_train_timesteps - 1);
        self.clip_sample = Some(false);
        self
    }

    /// An error where the model predicts clean samples, which `kind` has no code for.
    pub(crate) fn refuse_sample_prediction(
        &self,
        kind: SchedulerKind,
    ) -> Result<(), SchedulerError> {
        match self.prediction_type {
            PredictionType::Sample => Err(SchedulerError::Unimplemented {
                class: kind.class_name(),
                key: "prediction_type",
                found: "\"sample\"".into(),
            }),
            PredictionType::Epsilon | PredictionType::VPrediction => Ok(()),
        }
    }

    /// A scheduler of class `kind`, whatever class the configuration was written for.
    ///
    /// As in diffusers, some call the U-Net more often than `num_inference_steps` says: PNDM once
    /// more without Runge-Kutta steps, nine times more with them, Heun twice a step but the last. The
    /// scheduler has one timestep per call.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for a number of steps that the class does not have,
    /// [`SchedulerError::Offset`] for an offset that is too large for it, and
    /// [`SchedulerError::Unimplemented`] for a value that the class has no code for.
    pub fn build(
        &self,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let own = &self.as_class(kind);
        Ok(match kind {
            SchedulerKind::Ddim => Box::new(Ddim::new(own, num_inference_steps)?),
            SchedulerKind::Euler => Box::new(Euler::new(own, num_inference_steps)?),
            SchedulerKind::EulerAncestral => Box::new(Euler::ancestral(own, num_inference_steps)?),
            SchedulerKind::Pndm => Box::new(Pndm::new(own, num_inference_steps)?),
            SchedulerKind::Heun => Box::new(Heun::new(own, num_inference_steps)?),
            SchedulerKind::DpmSolverMultistep => {
                Box::new(DpmSolverMultistep::new(own, num_inference_steps)?)
            }
            SchedulerKind::DpmSolverMultistepSde => {
                Box::new(DpmSolverMultistep::stochastic(own, num_inference_steps)?)
            }
            SchedulerKind::Lcm => Box::new(Lcm::new(own, num_inference_steps)?),
            SchedulerKind::DdimInverse => Box::new(DdimInverse::new(own, num_inference_steps)?),
        })
    }

    /// How often a scheduler of class `kind` calls the U-Net, and so how many steps a weighting
    /// has.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn calls(
        &self,
        kind: SchedulerKind,
        num_inference_steps: usize,
    ) -> Result<usize, SchedulerError> {
        Ok(self.build(kind, num_inference_steps)?.timesteps().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_class_absent_keys_have_the_defaults_of_the_class() {
        let read = |class: &str| {
            let text = format!(r#"{{"_class_name": "{class}"}}"#);
            let config = SchedulerConfig::from_json(&text, "f").unwrap();
            (config.beta_start, config.beta_end, config.beta_schedule)
        };
        assert_eq!(read("LCMScheduler"), (0.00085, 0.012, BetaSchedule::ScaledLinear));
        assert_eq!(read("HeunDiscreteScheduler"), (0.00085, 0.012, BetaSchedule::Linear));
        assert_eq!(read("PNDMScheduler"), (0.0001, 0.02, BetaSchedule::Linear));
    }

    #[test]
    fn as_class_absent_keys_have_the_defaults_of_that_class_and_others_stay() {
        let text = r#"{"_class_name": "PNDMScheduler", "beta_end": 0.5}"#;
        let own = SchedulerConfig::from_json(text, "f").unwrap().corrected_for_latents();
        assert_eq!((own.steps_offset, own.clip_sample), (1, Some(false)));
        assert_eq!(own.as_class(SchedulerKind::Pndm), own);
        let heun = own.as_class(SchedulerKind::Heun);
        assert_eq!((heun.beta_start, heun.beta_end, heun.steps_offset), (0.00085, 0.5, 0));
        assert_eq!((heun.clip_sample, heun.as_class(SchedulerKind::Heun)), (None, heun.clone()));
        let text = r#"{"_class_name": "PNDMScheduler", "steps_offset": 7, "clip_sample": true}"#;
        let given = SchedulerConfig::from_json(text, "f").unwrap().corrected_for_latents();
        let ddim = given.as_class(SchedulerKind::Ddim);
        assert_eq!((ddim.steps_offset, ddim.clip_sample), (1, Some(false)));
    }

    #[test]
    fn kind_goes_by_class_and_algorithm() {
        let kind = |class: &str, algorithm: &str| {
            let text = format!(r#"{{"_class_name": "{class}", "algorithm_type": "{algorithm}"}}"#);
            SchedulerConfig::from_json(&text, "f").unwrap().kind().unwrap()
        };
        let class = "DPMSolverMultistepScheduler";
        assert_eq!(kind(class, "sde-dpmsolver++"), SchedulerKind::DpmSolverMultistepSde);
        assert_eq!(kind(class, "dpmsolver++"), SchedulerKind::DpmSolverMultistep);
        // Left over from another class.
        assert_eq!(kind("DDIMScheduler", "sde-dpmsolver++"), SchedulerKind::Ddim);
    }
}
