//! The configuration of an autoencoder.

use std::path::Path;

use config::{ConfigError, Keys};
use serde::Serialize;
use serde_json::{Value, json};

use crate::AutoencoderError;

/// Most resolution levels; each halves the picture, and the published models have 4.
const MAX_LEVELS: usize = 8;
/// Most channels of anything; published models have at most 512.
const MAX_CHANNELS: usize = 65_536;
/// Most resnets of a level; published models have 2.
const MAX_LAYERS: usize = 16;

/// The part of diffusers' `config.json` that shapes an `AutoencoderKL`.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Factor that brings latents to unit variance, from 0.0001 to 10,000.
    pub scaling_factor: f64,
    /// Whether half precision overflows, so that the model must run in f32.
    pub force_upcast: bool,
    /// Side of the pictures the model was trained on, in pixels.
    pub sample_size: usize,
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
        }
    }
}

impl AutoencoderKLConfig {
    /// Reads a diffusers `config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`AutoencoderError::Config`] naming the file and the key that is unknown, out of range or
    /// not implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AutoencoderError> {
        Ok(Self::read(Keys::from_file(path)?)?)
    }

    /// Reads the text of a diffusers `config.json`; errors call it `file`.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_json(text: &str, file: &str) -> Result<Self, AutoencoderError> {
        Ok(Self::read(Keys::from_json(text, file)?)?)
    }

    /// Values that decoding holds at once for each picture, at the least, from latents of that height
    /// and width: the features of the level that takes most. Sizes beyond any machine count as the
    /// largest number.
    pub fn decoded_features(&self, latents: [usize; 2]) -> usize {
        let levels = self.block_out_channels.len();
        let of_level = |level: usize| {
            let enlarged = 1 << (levels - 1 - level);
            let own = self.block_out_channels[level];
            let below = self.block_out_channels.get(level + 1).unwrap_or(&own);
            let positions = latents.iter().fold(1, |product: usize, side| {
                product.saturating_mul(side.saturating_mul(enlarged))
            });
            // What comes from below, what the residual block makes of it, and its shortcut.
            positions.saturating_mul(below.saturating_add(2 * own))
        };
        (0..levels).map(of_level).max().unwrap_or(0)
    }

    fn read(mut keys: Keys) -> Result<Self, ConfigError> {
        let default = Self::default();
        let channels = 1..=MAX_CHANNELS;
        let config = Self {
            in_channels: keys.size("in_channels", channels.clone())?.unwrap_or(default.in_channels),
            out_channels: keys
                .size("out_channels", channels.clone())?
                .unwrap_or(default.out_channels),
            block_out_channels: keys
                .sizes("block_out_channels", channels.clone(), 1..=MAX_LEVELS)?
                .unwrap_or(default.block_out_channels),
            layers_per_block: keys
                .size("layers_per_block", 1..=MAX_LAYERS)?
                .unwrap_or(default.layers_per_block),
            latent_channels: keys
                .size("latent_channels", channels.clone())?
                .unwrap_or(default.latent_channels),
            norm_num_groups: keys
                .size("norm_num_groups", channels.clone())?
                .unwrap_or(default.norm_num_groups),
            // Far outside of these, latents or pictures leave the range of f32.
            scaling_factor: keys
                .float("scaling_factor", "a number from 0.0001 to 10000", |factor| {
                    (1e-4..=1e4).contains(&factor)
                })?
                .unwrap_or(default.scaling_factor),
            force_upcast: keys.flag("force_upcast")?.unwrap_or(default.force_upcast),
            sample_size: keys.size("sample_size", channels)?.unwrap_or(default.sample_size),
        };
        let levels = config.block_out_channels.len();
        keys.choices("down_block_types", &[("DownEncoderBlock2D", ())], levels..=levels)?;
        keys.choices("up_block_types", &[("UpDecoderBlock2D", ())], levels..=levels)?;
        keys.fixed("_class_name", &[json!("AutoencoderKL")])?;
        keys.fixed("act_fn", &[json!("silu")])?;
        for key in ["latents_mean", "latents_std", "shift_factor"] {
            keys.fixed(key, &[Value::Null])?;
        }
        for key in ["mid_block_add_attention", "use_quant_conv", "use_post_quant_conv"] {
            keys.fixed(key, &[json!(true)])?;
        }
        for (level, channels) in config.block_out_channels.iter().enumerate() {
            if channels % config.norm_num_groups != 0 {
                let expected = format!("a divisor of `block_out_channels[{level}]` = {channels}");
                return Err(keys.invalid("norm_num_groups", expected, config.norm_num_groups));
            }
        }
        keys.finish()?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_out_of_range_names_file_and_key() {
        for (text, key) in [
            (r#"{"shift_factor": 0.1}"#, "shift_factor"),
            (r#"{"surprise": 1}"#, "surprise"),
            (r#"{"scaling_facto": 1}"#, "scaling_factor"),
            (r#"{"norm_num_groups": 7}"#, "norm_num_groups"),
            (r#"{"norm_num_groups": 0}"#, "norm_num_groups"),
            (r#"{"layers_per_block": 1000000000}"#, "layers_per_block"),
            (r#"{"layers_per_block": 0}"#, "layers_per_block"),
            (r#"{"block_out_channels": []}"#, "block_out_channels"),
            (r#"{"latent_channels": 4294967296}"#, "latent_channels"),
            (r#"{"scaling_factor": 1e-39}"#, "scaling_factor"),
            (r#"{"scaling_factor": -1}"#, "scaling_factor"),
            (r#"{"scaling_factor": NaN}"#, "scaling_factor"),
            (r#"{"use_quant_conv": false}"#, "use_quant_conv"),
            (r#"{"act_fn": "relu"}"#, "act_fn"),
            (r#"{"_class_name": "AsymmetricAutoencoderKL"}"#, "_class_name"),
            (r#"{"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}"#, "up_block_types"),
            (r#"{"down_block_types": ["AttnDownEncoderBlock2D"]}"#, "down_block_types"),
        ] {
            let error = AutoencoderKLConfig::from_json(text, "vae/config.json").unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("`vae/config.json`: "), "{error}");
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
        let levels = vec!["32"; 70].join(", ");
        let text = format!(r#"{{"block_out_channels": [{levels}]}}"#);
        assert!(AutoencoderKLConfig::from_json(&text, "f").is_err());
    }

    #[test]
    fn to_json_is_read_back() {
        let config = AutoencoderKLConfig {
            block_out_channels: vec![32, 64],
            scaling_factor: 0.13025,
            ..AutoencoderKLConfig::default()
        };
        let text = config.to_json().to_string();
        assert_eq!(AutoencoderKLConfig::from_json(&text, "f").unwrap(), config);
        assert_eq!(AutoencoderKLConfig::from_json("{}", "f").unwrap(), Default::default());
    }
}
