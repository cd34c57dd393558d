//! Reading `scheduler_config.json`.

use std::path::Path;

use config::{ConfigError, Keys};
use serde_json::{Value, json};

use crate::{
    AlgorithmType, BetaSchedule, PredictionType, SchedulerConfig, SchedulerError, SigmaSpacing,
    SolverType, TimestepSpacing,
};

/// Most training timesteps: a table of as many ᾱ is kept.
const MAX_TRAIN_TIMESTEPS: usize = 1_000_000;

impl SchedulerConfig {
    /// Reads a `scheduler_config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`SchedulerError::Config`] naming the file and the key that is unknown, out of range or not
    /// implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SchedulerError> {
        Ok(Self::read(Keys::from_file(path)?)?)
    }

    /// Reads the text of a `scheduler_config.json`; errors call it `file`.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_json(text: &str, file: &str) -> Result<Self, SchedulerError> {
        Ok(Self::read(Keys::from_json(text, file)?)?)
    }

    fn read(mut keys: Keys) -> Result<Self, ConfigError> {
        let class_name = keys.text("_class_name")?;
        let default = Self::of_class(class_name.as_deref());
        let absent = OF_CLASSES.into_iter().filter(|key| !keys.has(key)).collect();
        let above_zero = |number: f64| number > 0.0;
        // Less is no noise at all in diffusers' 32 bits, and has no logarithm.
        let (beta, is_beta) = ("a number from 1e-7 to below 1", |beta| (1e-7..1.0).contains(&beta));
        let num_train_timesteps = keys
            .size("num_train_timesteps", 1..=MAX_TRAIN_TIMESTEPS)?
            .unwrap_or(default.num_train_timesteps);
        let config = Self {
            class_name,
            beta_start: keys.float("beta_start", beta, is_beta)?.unwrap_or(default.beta_start),
            beta_end: keys.float("beta_end", beta, is_beta)?.unwrap_or(default.beta_end),
            beta_schedule: keys
                .choice("beta_schedule", &BETA_SCHEDULES)?
                .unwrap_or(default.beta_schedule),
            prediction_type: keys
                .choice("prediction_type", &PREDICTION_TYPES)?
                .unwrap_or(default.prediction_type),
            timestep_spacing: keys.choice("timestep_spacing", &TIMESTEP_SPACINGS)?,
            steps_offset: keys
                .size("steps_offset", 0..=num_train_timesteps - 1)?
                .unwrap_or(default.steps_offset),
            set_alpha_to_one: keys.flag("set_alpha_to_one")?,
            clip_sample: keys.flag("clip_sample")?,
            clip_sample_range: keys
                .float("clip_sample_range", "a number above 0", above_zero)?
                .unwrap_or(default.clip_sample_range),
            rescale_betas_zero_snr: keys.flag("rescale_betas_zero_snr")?.unwrap_or(false),
            thresholding: keys.flag("thresholding")?.unwrap_or(false),
            dynamic_thresholding_ratio: keys
                .float("dynamic_thresholding_ratio", "a share from 0 to 1", |share| {
                    (0.0..=1.0).contains(&share)
                })?
                .unwrap_or(default.dynamic_thresholding_ratio),
            sample_max_value: keys
                .float("sample_max_value", "a number of 1 or more", |bound| bound >= 1.0)?
                .unwrap_or(default.sample_max_value),
            skip_prk_steps: keys.flag("skip_prk_steps")?.unwrap_or(default.skip_prk_steps),
            solver_order: keys.size("solver_order", 1..=3)?.unwrap_or(default.solver_order),
            solver_type: keys.choice("solver_type", &SOLVER_TYPES)?.unwrap_or(default.solver_type),
            algorithm_type: keys
                .choice("algorithm_type", &ALGORITHM_TYPES)?
                .unwrap_or(default.algorithm_type),
            sigma_spacing: sigma_spacing(&mut keys)?,
            sigma_min: keys.float("sigma_min", "a number above 0", above_zero)?,
            sigma_max: keys.float("sigma_max", "a number above 0", above_zero)?,
            original_inference_steps: keys
                .size("original_inference_steps", 1..=num_train_timesteps)?
                .unwrap_or(default.original_inference_steps.min(num_train_timesteps)),
            timestep_scaling: keys
                .float("timestep_scaling", "a number above 0", above_zero)?
                .unwrap_or(default.timestep_scaling),
            eta: default.eta,
            absent,
            num_train_timesteps,
        };
        for (key, allowed) in fixed() {
            keys.fixed(key, &allowed)?;
        }
        keys.ignore("it only concerns diffusers' classes that are not implemented here", &FOREIGN);
        keys.ignore(
            "the last step is of first order anyway, because it ends at σ = 0",
            &FIRST_ORDER,
        );
        config.check(&keys)?;
        keys.finish()?;
        Ok(config)
    }

    /// What has to hold between keys.
    fn check(&self, keys: &Keys) -> Result<(), ConfigError> {
        if self.beta_start > self.beta_end {
            let expected = format!("at least `beta_start` = {}", self.beta_start);
            return Err(keys.invalid("beta_end", expected, self.beta_end));
        }
        match (self.sigma_min, self.sigma_max) {
            (Some(least), Some(largest)) if least > largest => {
                Err(keys.invalid("sigma_max", format!("at least `sigma_min` = {least}"), largest))
            }
            _ => Ok(()),
        }
    }
}

/// Which spacing of σ is asked for; no two at a time.
fn sigma_spacing(keys: &mut Keys) -> Result<SigmaSpacing, ConfigError> {
    let karras = keys.flag("use_karras_sigmas")?.unwrap_or(false);
    let exponential = keys.flag("use_exponential_sigmas")?.unwrap_or(false);
    match (karras, exponential) {
        (true, true) => {
            let expected = "false beside `use_karras_sigmas`";
            Err(keys.invalid("use_exponential_sigmas", expected, true))
        }
        (true, false) => Ok(SigmaSpacing::Karras),
        (false, true) => Ok(SigmaSpacing::Exponential),
        (false, false) => Ok(SigmaSpacing::Timesteps),
    }
}

/// Keys for which classes have defaults of their own, beside those that stay open where they are absent.
const OF_CLASSES: [&str; 5] =
    ["beta_start", "beta_end", "beta_schedule", "steps_offset", "clip_sample"];

const BETA_SCHEDULES: [(&str, BetaSchedule); 3] = [
    ("linear", BetaSchedule::Linear),
    ("scaled_linear", BetaSchedule::ScaledLinear),
    ("squaredcos_cap_v2", BetaSchedule::SquaredcosCapV2),
];

const PREDICTION_TYPES: [(&str, PredictionType); 3] = [
    ("epsilon", PredictionType::Epsilon),
    ("v_prediction", PredictionType::VPrediction),
    ("sample", PredictionType::Sample),
];

const TIMESTEP_SPACINGS: [(&str, TimestepSpacing); 3] = [
    ("linspace", TimestepSpacing::Linspace),
    ("leading", TimestepSpacing::Leading),
    ("trailing", TimestepSpacing::Trailing),
];

/// `deis` is DEIS's own, which diffusers' DPM-Solver takes for its ordinary one.
const ALGORITHM_TYPES: [(&str, AlgorithmType); 3] = [
    ("dpmsolver++", AlgorithmType::Ode),
    ("deis", AlgorithmType::Ode),
    ("sde-dpmsolver++", AlgorithmType::Sde),
];

/// The last three are those of DEIS and UniPC, which diffusers' DPM-Solver takes for the midpoint.
const SOLVER_TYPES: [(&str, SolverType); 5] = [
    ("midpoint", SolverType::Midpoint),
    ("heun", SolverType::Heun),
    ("logrho", SolverType::Midpoint),
    ("bh1", SolverType::Midpoint),
    ("bh2", SolverType::Midpoint),
];

/// Keys with only one implemented value.
fn fixed() -> Vec<(&'static str, Vec<Value>)> {
    let off = || vec![Value::Null, json!(false)];
    let only = |name: &str| vec![json!(name), Value::Null];
    vec![
        ("final_sigmas_type", only("zero")),
        ("interpolation_type", only("linear")),
        ("lambda_min_clipped", vec![json!("-Infinity"), Value::Null]),
        ("timestep_type", only("discrete")),
        ("trained_betas", vec![Value::Null]),
        ("use_beta_sigmas", off()),
        ("use_flow_sigmas", off()),
        ("use_lu_lambdas", off()),
        // Those of DDPM; learnt ones would double the U-Net's channels.
        (
            "variance_type",
            ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]
                .map(Value::from)
                .into_iter()
                .chain([Value::Null])
                .collect(),
        ),
    ]
}

/// Keys of UniPC and flow matching; flow matching itself is refused by `use_flow_sigmas`.
const FOREIGN: [&str; 4] = ["disable_corrector", "flow_shift", "predict_x0", "solver_p"];

const FIRST_ORDER: [&str; 2] = ["euler_at_final", "lower_order_final"];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = SchedulerConfig::from_json(text, "scheduler_config.json").unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("`scheduler_config.json`: "), "{message}");
        message
    }

    #[test]
    fn values_out_of_range_name_file_key_expected_and_found() {
        for (text, key) in [
            (r#"{"clip_sample_range": -1}"#, "clip_sample_range"),
            (r#"{"dynamic_thresholding_ratio": 5}"#, "dynamic_thresholding_ratio"),
            (r#"{"sample_max_value": 0.5}"#, "sample_max_value"),
            (r#"{"steps_offset": 1000}"#, "steps_offset"),
            (r#"{"steps_offset": 9223372036854775808}"#, "steps_offset"),
            (r#"{"steps_offset": -1}"#, "steps_offset"),
            (r#"{"num_train_timesteps": 0}"#, "num_train_timesteps"),
            (r#"{"num_train_timesteps": 1000000000}"#, "num_train_timesteps"),
            (r#"{"beta_start": 0.5}"#, "beta_end"),
            (r#"{"beta_end": 1}"#, "beta_end"),
            (r#"{"beta_start": NaN}"#, "beta_start"),
            (r#"{"beta_start": 8.1e-324}"#, "beta_start"),
            (r#"{"sigma_min": 0}"#, "sigma_min"),
            (r#"{"sigma_min": 2, "sigma_max": 1}"#, "sigma_max"),
            (r#"{"solver_order": 4}"#, "solver_order"),
            (r#"{"algorithm_type": "sde-dpmsolver"}"#, "algorithm_type"),
            (r#"{"original_inference_steps": 1001}"#, "original_inference_steps"),
            (r#"{"timestep_scaling": 0}"#, "timestep_scaling"),
            (
                r#"{"use_karras_sigmas": true, "use_exponential_sigmas": true}"#,
                "use_exponential_sigmas",
            ),
            (r#"{"variance_type": "learned_range"}"#, "variance_type"),
            (r#"{"trained_betas": [0.1]}"#, "trained_betas"),
            (r#"{"lambda_min_clipped": -5.1}"#, "lambda_min_clipped"),
            (r#"{"use_beta_sigmas": true}"#, "use_beta_sigmas"),
            (r#"{"beta_schedule": "cosine"}"#, "beta_schedule"),
            (r#"{"skip_prk_steps": "yes"}"#, "skip_prk_steps"),
        ] {
            let message = error(text);
            assert!(message.contains(&format!("`{key}`: expected ")), "{message}");
            assert!(message.contains(", found "), "{message}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_whatever_their_value() {
        for value in ["false", "null", "0", "\"x\""] {
            let message = error(&format!(r#"{{"clip_sampel": {value}}}"#));
            assert!(message.contains("unknown key `clip_sampel`"), "{message}");
            assert!(message.contains("did you mean `clip_sample`?"), "{message}");
        }
    }

    #[test]
    fn published_configurations_are_read() {
        // Every key that diffusers 0.32 writes for stabilityai/sdxl-turbo's class, and of the
        // others that the models named in this workspace's presets have.
        let text = r#"{"_class_name": "EulerAncestralDiscreteScheduler",
            "_diffusers_version": "0.24.0.dev0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "beta_start": 0.00085, "clip_sample": false, "interpolation_type": "linear",
            "num_train_timesteps": 1000, "prediction_type": "epsilon",
            "rescale_betas_zero_snr": false, "sample_max_value": 1.0, "set_alpha_to_one": false,
            "sigma_max": null, "sigma_min": null, "skip_prk_steps": true, "steps_offset": 1,
            "timestep_spacing": "trailing", "timestep_type": "discrete", "trained_betas": null,
            "use_karras_sigmas": false, "use_beta_sigmas": false, "use_exponential_sigmas": false,
            "final_sigmas_type": "zero"}"#;
        let config = SchedulerConfig::from_json(text, "f").unwrap();
        assert_eq!(config.kind().unwrap().name(), "euler-a");
        assert_eq!(config.timestep_spacing, Some(TimestepSpacing::Trailing));
        assert!(config.skip_prk_steps);
        let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++",
            "dynamic_thresholding_ratio": 0.995, "euler_at_final": false, "flow_shift": 1.0,
            "final_sigmas_type": "zero", "lambda_min_clipped": -Infinity, "lower_order_final": true,
            "solver_order": 2, "solver_type": "midpoint", "thresholding": false,
            "use_flow_sigmas": false, "use_lu_lambdas": false, "variance_type": null}"#;
        let config = SchedulerConfig::from_json(text, "f").unwrap();
        assert_eq!(config.kind().unwrap().name(), "dpm++2m");
        assert!(!config.skip_prk_steps);
        let absent = SchedulerConfig::from_json("{}", "f").unwrap();
        let default = SchedulerConfig { absent: OF_CLASSES.into(), ..SchedulerConfig::default() };
        assert_eq!(absent, default);
        assert!(absent.kind().unwrap_err().to_string().contains("_class_name"));
    }
}
