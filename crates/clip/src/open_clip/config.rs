//! The configuration of an OpenCLIP model.

use std::path::Path;

use config::{ConfigError, Keys};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ClipError;

/// Most channels of anything; published models have at most 8,192.
const MAX_CHANNELS: usize = 65_536;
/// Most Transformer layers; published models have at most 56.
const MAX_LAYERS: usize = 256;
/// Most rows of the token table; CLIP's has 49,408.
const MAX_VOCABULARY: usize = 1 << 20;
/// Largest height and width of the pictures.
const MAX_IMAGE_SIZE: usize = 4096;

/// An OpenCLIP model configuration with a Vision Transformer and a causal text Transformer
/// (open_clip `model_configs/*.json`, or `model_cfg` of an `open_clip_config.json`).
///
/// A key that is not here is not implemented and an error that names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct OpenClipConfig {
    /// Channels of the space both towers project into.
    pub embed_dim: usize,
    /// Whether the feed-forward layers have OpenAI's quick GELU.
    pub quick_gelu: bool,
    /// The picture tower.
    pub vision_cfg: OpenClipVisionConfig,
    /// The text tower.
    pub text_cfg: OpenClipTextConfig,
}

/// The picture tower's sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenClipVisionConfig {
    /// Height and width of the pictures, in pixels.
    pub image_size: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Channels.
    pub width: usize,
    /// Channels of one attention head.
    pub head_width: usize,
    /// Height and width of a patch, in pixels.
    pub patch_size: usize,
    /// Channels inside the feed-forward layers over `width`.
    pub mlp_ratio: f64,
}

/// The text tower's sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenClipTextConfig {
    /// Tokens of a text, begin and end included.
    pub context_length: usize,
    /// Rows of the token table.
    pub vocab_size: usize,
    /// Channels.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Channels inside the feed-forward layers over `width`.
    pub mlp_ratio: f64,
}

impl TryFrom<Map<String, Value>> for OpenClipConfig {
    type Error = ConfigError;

    /// A configuration that is part of another file, such as a recipe.
    fn try_from(object: Map<String, Value>) -> Result<Self, ConfigError> {
        Self::read(Keys::from_object(object, "OpenCLIP configuration"))
    }
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
    /// [`ClipError::Config`], which names the file and the key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClipError> {
        let mut keys = Keys::from_file(path)?;
        let Some(model) = keys.inner("model_cfg")? else { return Ok(Self::read(keys)?) };
        keys.ignore("it says how pictures are prepared", &["preprocess_cfg"]);
        keys.finish()?;
        Ok(Self::read(model)?)
    }

    fn read(mut keys: Keys) -> Result<Self, ConfigError> {
        let embed_dim = keys.size("embed_dim", 1..=MAX_CHANNELS)?;
        let quick_gelu = keys.flag("quick_gelu")?.unwrap_or(false);
        let (vision, text) = (keys.inner("vision_cfg")?, keys.inner("text_cfg")?);
        let config = Self {
            embed_dim: keys.required("embed_dim", "a number of channels", embed_dim)?,
            quick_gelu,
            vision_cfg: read_vision(keys.required("vision_cfg", "the picture tower", vision)?)?,
            text_cfg: read_text(keys.required("text_cfg", "the text tower", text)?)?,
        };
        keys.finish()?;
        Ok(config)
    }
}

fn required_size(keys: &mut Keys, key: &'static str, largest: usize) -> Result<usize, ConfigError> {
    let size = keys.size(key, 1..=largest)?;
    keys.required(key, &format!("a whole number from 1 to {largest}"), size)
}

fn mlp_ratio(keys: &mut Keys) -> Result<f64, ConfigError> {
    let fits = |ratio: f64| ratio > 0.0 && ratio <= 64.0;
    Ok(keys.float("mlp_ratio", "a number above 0, up to 64", fits)?.unwrap_or(4.0))
}

/// An error where `key` does not divide `whole`.
fn check_divides(
    keys: &Keys,
    (key, part): (&str, usize),
    (of, whole): (&str, usize),
) -> Result<(), ConfigError> {
    if whole.is_multiple_of(part) {
        return Ok(());
    }
    Err(keys.invalid(key, format!("a divisor of `{of}` = {whole}"), part))
}

/// Keys of open_clip's towers with only one implemented value, which is its default.
fn check_defaults(keys: &mut Keys, only: &[(&'static str, Value)]) -> Result<(), ConfigError> {
    for key in ["act_kwargs", "ls_init_value", "norm_kwargs"] {
        keys.fixed(key, &[Value::Null])?;
    }
    for (key, value) in only {
        keys.fixed(key, std::slice::from_ref(value))?;
    }
    keys.ignore("it asks open_clip for outputs besides the embedding", &["output_tokens"]);
    Ok(())
}

fn read_vision(mut keys: Keys) -> Result<OpenClipVisionConfig, ConfigError> {
    let config = OpenClipVisionConfig {
        image_size: required_size(&mut keys, "image_size", MAX_IMAGE_SIZE)?,
        layers: required_size(&mut keys, "layers", MAX_LAYERS)?,
        width: required_size(&mut keys, "width", MAX_CHANNELS)?,
        head_width: keys.size("head_width", 1..=MAX_CHANNELS)?.unwrap_or(64),
        patch_size: required_size(&mut keys, "patch_size", MAX_IMAGE_SIZE)?,
        mlp_ratio: mlp_ratio(&mut keys)?,
    };
    let only = [
        ("attentional_pool", json!(false)),
        ("final_ln_after_pool", json!(false)),
        ("no_ln_pre", json!(false)),
        ("pool_type", json!("tok")),
        ("pos_embed_type", json!("learnable")),
        ("timm_model_name", Value::Null),
    ];
    check_defaults(&mut keys, &only)?;
    keys.ignore("it only matters in training", &["patch_dropout"]);
    check_divides(&keys, ("head_width", config.head_width), ("width", config.width))?;
    check_divides(&keys, ("patch_size", config.patch_size), ("image_size", config.image_size))?;
    keys.finish()?;
    Ok(config)
}

fn read_text(mut keys: Keys) -> Result<OpenClipTextConfig, ConfigError> {
    let config = OpenClipTextConfig {
        context_length: keys.size("context_length", 2..=MAX_CHANNELS)?.unwrap_or(77),
        vocab_size: keys.size("vocab_size", 1..=MAX_VOCABULARY)?.unwrap_or(49408),
        width: required_size(&mut keys, "width", MAX_CHANNELS)?,
        heads: required_size(&mut keys, "heads", MAX_CHANNELS)?,
        layers: required_size(&mut keys, "layers", MAX_LAYERS)?,
        mlp_ratio: mlp_ratio(&mut keys)?,
    };
    let only = [
        ("embed_cls", json!(false)),
        ("final_ln_after_pool", json!(false)),
        ("hf_model_name", Value::Null),
        ("hf_tokenizer_name", Value::Null),
        ("no_causal_mask", json!(false)),
        ("pad_id", json!(0)),
        ("pool_type", json!("argmax")),
        ("proj_bias", json!(false)),
        ("proj_type", json!("linear")),
        ("tokenizer_kwargs", Value::Null),
    ];
    check_defaults(&mut keys, &only)?;
    check_divides(&keys, ("heads", config.heads), ("width", config.width))?;
    keys.finish()?;
    Ok(config)
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
    fn configurations_round_trip() {
        let config = OpenClipConfig::vit_h_14();
        assert_eq!(config.vision_cfg.heads(), 16);
        let value = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<OpenClipConfig>(value.clone()).unwrap(), config);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open_clip_config.json");
        for text in [
            value.to_string(),
            json!({"model_cfg": value, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}).to_string(),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(OpenClipConfig::from_file(&path).unwrap(), config);
        }
        std::fs::write(&path, json!({"model_cfg": value, "preproces_cfg": 1}).to_string()).unwrap();
        let error = OpenClipConfig::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("open_clip_config.json`: unknown key `preproces_cfg`"), "{error}");
    }

    #[test]
    fn what_is_unknown_or_out_of_range_names_the_tower_and_key() {
        for (tower, key, value) in [
            ("vision_cfg", "timm_model_name", json!("x")),
            ("vision_cfg", "layres", json!(2)),
            ("vision_cfg", "layers", json!(1_000_000_000)),
            ("vision_cfg", "head_width", json!(7)),
            ("vision_cfg", "patch_size", json!(15)),
            ("vision_cfg", "image_size", json!(4_294_967_296_u64)),
            ("vision_cfg", "mlp_ratio", json!(1e9)),
            ("text_cfg", "heads", json!(0)),
            ("text_cfg", "width", Value::Null),
            ("text_cfg", "pool_type", json!("last")),
            ("text_cfg", "hf_model_name", json!("roberta-base")),
        ] {
            let mut config = serde_json::to_value(OpenClipConfig::vit_h_14()).unwrap();
            config[tower][key] = value;
            let error = serde_json::from_value::<OpenClipConfig>(config).unwrap_err().to_string();
            assert!(error.contains(&format!("`{tower}.{key}`")), "{error}");
        }
        let error = serde_json::from_value::<OpenClipConfig>(json!({"embed_dim": 4}));
        assert!(
            error.unwrap_err().to_string().contains("`vision_cfg`: expected the picture tower")
        );
    }
}
