use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ClipError;

/// An OpenCLIP model configuration with a Vision Transformer and a causal text Transformer
/// (open_clip `model_configs/*.json`, or `model_cfg` of an `open_clip_config.json`).
///
/// A key that is not here is not implemented and an error that names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenClipConfig {
    /// Channels of the space both towers project into.
    pub embed_dim: usize,
    /// Whether the feed-forward layers have OpenAI's quick GELU.
    #[serde(default)]
    pub quick_gelu: bool,
    /// The picture tower.
    pub vision_cfg: OpenClipVisionConfig,
    /// The text tower.
    pub text_cfg: OpenClipTextConfig,
}

/// The picture tower's sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenClipVisionConfig {
    /// Height and width of the pictures, in pixels.
    pub image_size: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Channels.
    pub width: usize,
    /// Channels of one attention head.
    #[serde(default = "head_width")]
    pub head_width: usize,
    /// Height and width of a patch, in pixels.
    pub patch_size: usize,
    /// Channels inside the feed-forward layers over `width`.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: f64,
}

/// The text tower's sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenClipTextConfig {
    /// Tokens of a text, begin and end included.
    #[serde(default = "context_length")]
    pub context_length: usize,
    /// Rows of the token table.
    #[serde(default = "vocab_size")]
    pub vocab_size: usize,
    /// Channels.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Channels inside the feed-forward layers over `width`.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: f64,
}

fn head_width() -> usize {
    64
}

fn mlp_ratio() -> f64 {
    4.0
}

fn context_length() -> usize {
    77
}

fn vocab_size() -> usize {
    49408
}

impl OpenClipConfig {
    /// ViT-H-14, the model of HPS v2 and v2.1.
    pub fn vit_h_14() -> Self {
        Self {
            embed_dim: 1024,
            quick_gelu: false,
            vision_cfg: OpenClipVisionConfig {
                image_size: 224,
                layers: 32,
                width: 1280,
                head_width: 80,
                patch_size: 14,
                mlp_ratio: 4.0,
            },
            text_cfg: OpenClipTextConfig {
                context_length: 77,
                vocab_size: 49408,
                width: 1024,
                heads: 16,
                layers: 24,
                mlp_ratio: 4.0,
            },
        }
    }

    /// Reads a configuration, plain or as the `model_cfg` of an `open_clip_config.json`.
    ///
    /// # Errors
    /// [`ClipError::Io`] or [`ClipError::Config`], which names the file and the key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClipError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ClipError::Io { path: path.into(), source })?;
        let broken = |reason: String| ClipError::Config(format!("`{}`: {reason}", path.display()));
        let mut value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if let Some(inner) = value.get_mut("model_cfg") {
            value = inner.take();
        }
        let config: Self =
            serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
        config.validate().map_err(broken)?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), String> {
        let (vision, text) = (&self.vision_cfg, &self.text_cfg);
        let positive = [
            ("embed_dim", self.embed_dim),
            ("vision_cfg.image_size", vision.image_size),
            ("vision_cfg.layers", vision.layers),
            ("vision_cfg.width", vision.width),
            ("vision_cfg.head_width", vision.head_width),
            ("vision_cfg.patch_size", vision.patch_size),
            ("text_cfg.context_length", text.context_length),
            ("text_cfg.vocab_size", text.vocab_size),
            ("text_cfg.width", text.width),
            ("text_cfg.heads", text.heads),
            ("text_cfg.layers", text.layers),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("`{key}` must be above 0"));
        }
        for (key, value, divisor) in [
            ("vision_cfg.width` by its `head_width", vision.width, vision.head_width),
            ("vision_cfg.image_size` by its `patch_size", vision.image_size, vision.patch_size),
            ("text_cfg.width` by its `heads", text.width, text.heads),
        ] {
            if value % divisor != 0 {
                return Err(format!("cannot divide `{key}`: {value} by {divisor}"));
            }
        }
        if !(vision.mlp_ratio > 0.0 && text.mlp_ratio > 0.0) {
            return Err("`mlp_ratio` must be above 0".into());
        }
        Ok(())
    }
}

impl OpenClipVisionConfig {
    pub(super) fn heads(&self) -> usize {
        self.width / self.head_width
    }

    /// Patches of a picture, and the class token.
    pub(super) fn tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_round_trip_and_unknown_keys_are_named() {
        let config = OpenClipConfig::vit_h_14();
        assert!(config.validate().is_ok() && config.vision_cfg.heads() == 16);
        let mut json = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<OpenClipConfig>(json.clone()).unwrap(), config);
        json["vision_cfg"]["timm_model_name"] = "x".into();
        let error = serde_json::from_value::<OpenClipConfig>(json).unwrap_err().to_string();
        assert!(error.contains("timm_model_name"), "{error}");
    }
}
