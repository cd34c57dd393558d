use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::AutoencoderError;

/// The part of diffusers' `config.json` that shapes an `AutoencoderKL`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutoencoderKLConfig {
    /// Channels of the picture.
    pub in_channels: usize,
    /// Channels of the decoded picture.
    pub out_channels: usize,
    /// Channels of each level, from the highest resolution to the lowest.
    pub block_out_channels: Vec<usize>,
    /// Resnets of an encoder level; a decoder level has one more.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of every GroupNorm.
    pub norm_num_groups: usize,
    /// Factor that brings latents to unit variance.
    pub scaling_factor: f64,
    /// Whether half precision overflows, so that the model must run in f32.
    pub force_upcast: bool,
    /// Side of the pictures the model was trained on, in pixels.
    pub sample_size: usize,
    /// Everything else in the file; checked when it is read.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Default for AutoencoderKLConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![64],
            layers_per_block: 1,
            latent_channels: 4,
            norm_num_groups: 32,
            scaling_factor: 0.18215,
            force_upcast: true,
            sample_size: 32,
            rest: Map::new(),
        }
    }
}

impl AutoencoderKLConfig {
    /// Reads a diffusers `config.json`.
    ///
    /// # Errors
    /// [`AutoencoderError`] naming the key that is wrong or not implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AutoencoderError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| AutoencoderError::Io { path: path.into(), source })?;
        Self::from_json(&text)
    }

    /// Reads the text of a diffusers `config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`AutoencoderError::Config`] naming the key.
    pub fn from_json(text: &str) -> Result<Self, AutoencoderError> {
        let config: Self = serde_json::from_str(text)
            .map_err(|error| AutoencoderError::Config(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// By how much latents are smaller than pictures.
    pub fn downscale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    /// The text of a `config.json` diffusers can read.
    pub fn to_json(&self) -> Value {
        let levels = self.block_out_channels.len();
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(object) = &mut value {
            object.insert("_class_name".into(), json!("AutoencoderKL"));
            object.insert("act_fn".into(), json!("silu"));
            object.insert("down_block_types".into(), json!(vec!["DownEncoderBlock2D"; levels]));
            object.insert("up_block_types".into(), json!(vec!["UpDecoderBlock2D"; levels]));
        }
        value
    }

    fn validate(&self) -> Result<(), AutoencoderError> {
        let fail = |text: String| Err(AutoencoderError::Config(text));
        for (key, value) in &self.rest {
            let implemented = match key.as_str() {
                "act_fn" => *value == json!("silu"),
                "down_block_types" => all_equal(value, "DownEncoderBlock2D"),
                "up_block_types" => all_equal(value, "UpDecoderBlock2D"),
                "latents_mean" | "latents_std" | "shift_factor" => value.is_null(),
                "mid_block_add_attention" | "use_quant_conv" | "use_post_quant_conv" => {
                    *value == json!(true)
                }
                key => key.starts_with('_'),
            };
            if !implemented {
                return fail(format!("`{key}` = {value} is not implemented"));
            }
        }
        if self.block_out_channels.is_empty() || self.layers_per_block == 0 {
            return fail(
                "`block_out_channels` and `layers_per_block` must not be empty or 0".into(),
            );
        }
        if let Some(channels) = self.block_out_channels.iter().find(|channels| {
            self.norm_num_groups == 0 || **channels == 0 || **channels % self.norm_num_groups != 0
        }) {
            return fail(format!(
                "`norm_num_groups` = {} does not divide {channels} channels",
                self.norm_num_groups
            ));
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return fail(format!("`scaling_factor` = {} must be above 0", self.scaling_factor));
        }
        Ok(())
    }
}

fn all_equal(value: &Value, name: &str) -> bool {
    value.as_array().is_some_and(|entries| entries.iter().all(|entry| entry == name))
}
