//! The configuration of a text encoder.

use std::path::Path;

use config::{ConfigError, Keys};
use serde::Serialize;
use serde_json::json;

use crate::{CLIPTokenizer, ClipError};

/// Most channels of anything; published encoders have at most 5,120.
const MAX_CHANNELS: usize = 65_536;
/// Most Transformer layers; published encoders have at most 32.
const MAX_LAYERS: usize = 256;
/// Most rows of the token table; CLIP's has 49,408.
const MAX_VOCABULARY: usize = 1 << 20;

/// Activation of the text encoder's feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenAct {
    /// The exact GELU (OpenCLIP's encoders).
    Gelu,
    /// `x · σ(1.702 x)` (OpenAI's encoders).
    QuickGelu,
}

/// The part of transformers' `config.json` that shapes a `CLIPTextModel`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CLIPTextConfig {
    /// Rows of the token table.
    pub vocab_size: usize,
    /// Channels.
    pub hidden_size: usize,
    /// Channels inside the feed-forward layers.
    pub intermediate_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward layers.
    pub hidden_act: HiddenAct,
    /// Epsilon of the LayerNorms.
    pub layer_norm_eps: f64,
    /// Channels of the projected pooled embedding.
    pub projection_dim: usize,
    /// 2 in the published files by mistake; then the pooled token is the one of the highest id.
    pub eos_token_id: usize,
    /// Names of the class the file was written for.
    pub architectures: Vec<String>,
}

impl Default for CLIPTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: HiddenAct::QuickGelu,
            layer_norm_eps: 1e-5,
            projection_dim: 512,
            eos_token_id: 49407,
            architectures: vec!["CLIPTextModel".into()],
        }
    }
}

impl CLIPTextConfig {
    /// Reads a transformers `config.json`; absent keys have transformers' defaults.
    ///
    /// # Errors
    /// [`ClipError::Config`] naming the file and the key that is unknown, out of range or not
    /// implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClipError> {
        Ok(Self::read(Keys::from_file(path)?)?)
    }

    /// Reads the text of a transformers `config.json`; errors call it `file`.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_json(text: &str, file: &str) -> Result<Self, ClipError> {
        Ok(Self::read(Keys::from_json(text, file)?)?)
    }

    fn read(mut keys: Keys) -> Result<Self, ConfigError> {
        let default = Self::default();
        let channels = 1..=MAX_CHANNELS;
        let config = Self {
            vocab_size: keys.size("vocab_size", 1..=MAX_VOCABULARY)?.unwrap_or(default.vocab_size),
            hidden_size: keys.size("hidden_size", channels.clone())?.unwrap_or(default.hidden_size),
            intermediate_size: keys
                .size("intermediate_size", channels.clone())?
                .unwrap_or(default.intermediate_size),
            num_hidden_layers: keys
                .size("num_hidden_layers", 1..=MAX_LAYERS)?
                .unwrap_or(default.num_hidden_layers),
            num_attention_heads: keys
                .size("num_attention_heads", channels.clone())?
                .unwrap_or(default.num_attention_heads),
            max_position_embeddings: keys
                .size("max_position_embeddings", channels.clone())?
                .unwrap_or(default.max_position_embeddings),
            hidden_act: keys.choice("hidden_act", &ACTIVATIONS)?.unwrap_or(default.hidden_act),
            layer_norm_eps: keys
                .float("layer_norm_eps", "a number above 0 and below 1", |eps| {
                    eps > 0.0 && eps < 1.0
                })?
                .unwrap_or(default.layer_norm_eps),
            projection_dim: keys
                .size("projection_dim", channels)?
                .unwrap_or(default.projection_dim),
            eos_token_id: keys
                .size("eos_token_id", 0..=MAX_VOCABULARY)?
                .unwrap_or(default.eos_token_id),
            architectures: keys
                .choices("architectures", &CLASSES.map(|class| (class, class)), 1..=1)?
                .map_or(default.architectures, |names| names.into_iter().map(Into::into).collect()),
        };
        keys.fixed("model_type", &[json!("clip_text_model")])?;
        for (reason, ignored) in IGNORED {
            keys.ignore(reason, ignored);
        }
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let expected = format!("a divisor of `hidden_size` = {}", config.hidden_size);
            return Err(keys.invalid("num_attention_heads", expected, config.num_attention_heads));
        }
        keys.finish()?;
        Ok(config)
    }

    /// Whether the model has a text projection (`CLIPTextModelWithProjection`).
    pub fn with_projection(&self) -> bool {
        self.architectures.iter().any(|name| name == "CLIPTextModelWithProjection")
    }

    /// Whether the encoder can read everything that `tokenizer` makes.
    ///
    /// # Errors
    /// [`ClipError::Misfit`] where sequences are longer than its positions, or token ids beyond its
    /// table.
    pub fn check_fits(&self, tokenizer: &CLIPTokenizer) -> Result<(), ClipError> {
        for (what, key, tokenizer, encoder) in [
            (
                "tokens of a prompt",
                "max_position_embeddings",
                tokenizer.max_length(),
                self.max_position_embeddings,
            ),
            ("different tokens", "vocab_size", tokenizer.id_bound(), self.vocab_size),
        ] {
            if tokenizer > encoder {
                return Err(ClipError::Misfit { what, key, tokenizer, encoder });
            }
        }
        Ok(())
    }
}

const ACTIVATIONS: [(&str, HiddenAct); 2] =
    [("gelu", HiddenAct::Gelu), ("quick_gelu", HiddenAct::QuickGelu)];

const CLASSES: [&str; 2] = ["CLIPTextModel", "CLIPTextModelWithProjection"];

/// Keys that transformers writes and that change nothing here, with the reasons.
const IGNORED: [(&str, &[&str]); 5] = [
    ("the weights' file tells their type", &["dtype", "torch_dtype"]),
    ("it names a version of transformers", &["transformers_version"]),
    (
        "it only matters in training",
        &[
            "attention_dropout",
            "dropout",
            "gradient_checkpointing",
            "initializer_factor",
            "initializer_range",
            "problem_type",
        ],
    ),
    ("the tokenizer tells its special tokens", &["bos_token_id", "pad_token_id", "sep_token_id"]),
    (
        "it chooses outputs of transformers' own calls, or belongs to other kinds of models",
        &[
            "add_cross_attention",
            "chunk_size_feed_forward",
            "cross_attention_hidden_size",
            "decoder_start_token_id",
            "finetuning_task",
            "id2label",
            "is_decoder",
            "is_encoder_decoder",
            "label2id",
            "output_attentions",
            "output_hidden_states",
            "prefix",
            "pruned_heads",
            "return_dict",
            "task_specific_params",
            "tie_encoder_decoder",
            "tie_word_embeddings",
            "tokenizer_class",
            "torchscript",
            "use_bfloat16",
            "use_cache",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_configurations_are_read() {
        // runwayml/stable-diffusion-v1-5, text_encoder/config.json.
        let text = r#"{"_name_or_path": "openai/clip-vit-large-patch14",
            "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0,
            "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768,
            "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 3072,
            "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
            "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12,
            "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float32",
            "transformers_version": "4.22.0.dev0", "vocab_size": 49408}"#;
        let config = CLIPTextConfig::from_json(text, "f").unwrap();
        assert_eq!((config.hidden_size, config.hidden_act), (768, HiddenAct::QuickGelu));
        assert_eq!((config.eos_token_id, config.with_projection()), (2, false));
        let with = text.replace("[\"CLIPTextModel\"]", "[\"CLIPTextModelWithProjection\"]");
        assert!(CLIPTextConfig::from_json(&with, "f").unwrap().with_projection());
        assert_eq!(CLIPTextConfig::from_json("{}", "f").unwrap(), CLIPTextConfig::default());
    }

    #[test]
    fn what_is_unknown_or_out_of_range_names_file_and_key() {
        for (text, key) in [
            (r#"{"hidden_actt": "gelu"}"#, "hidden_act"),
            (r#"{"hidden_act": "gelu_new"}"#, "hidden_act"),
            (r#"{"architectures": ["CLIPModel"]}"#, "architectures"),
            (r#"{"architectures": []}"#, "architectures"),
            (r#"{"model_type": "t5"}"#, "model_type"),
            (r#"{"num_hidden_layers": 1000000000}"#, "num_hidden_layers"),
            (r#"{"num_hidden_layers": 0}"#, "num_hidden_layers"),
            (r#"{"hidden_size": 4294967296}"#, "hidden_size"),
            (r#"{"num_attention_heads": 7}"#, "num_attention_heads"),
            (r#"{"layer_norm_eps": -1e-5}"#, "layer_norm_eps"),
            (r#"{"vocab_size": "many"}"#, "vocab_size"),
            (r#"{"text_config": {}}"#, "text_config"),
        ] {
            let error = CLIPTextConfig::from_json(text, "text_encoder/config.json").unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("`text_encoder/config.json`: "), "{error}");
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn check_fits_refuses_longer_prompts_and_larger_vocabularies() {
        let tokenizer = CLIPTokenizer::openai("!").unwrap();
        let config = CLIPTextConfig::default();
        assert!(config.check_fits(&tokenizer).is_ok());
        let short = CLIPTextConfig { max_position_embeddings: 24, ..config.clone() };
        let error = short.check_fits(&tokenizer).unwrap_err().to_string();
        assert!(
            error.contains("77") && error.contains("`max_position_embeddings` is 24"),
            "{error}"
        );
        let small = CLIPTextConfig { vocab_size: 2048, ..config };
        let error = small.check_fits(&tokenizer).unwrap_err().to_string();
        assert!(error.contains("49408") && error.contains("`vocab_size` is 2048"), "{error}");
    }
}
