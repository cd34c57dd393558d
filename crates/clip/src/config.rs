use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ClipError;

/// Activation of the text encoder's feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenAct {
    /// The exact GELU (OpenCLIP's encoders).
    Gelu,
    /// `x · σ(1.702 x)` (OpenAI's encoders).
    QuickGelu,
}

/// The part of transformers' `config.json` that shapes a `CLIPTextModel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// [`ClipError::Io`] or [`ClipError::Config`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClipError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ClipError::Io { path: path.into(), source })?;
        Self::from_json(&text).map_err(|error| match error {
            ClipError::Config(reason) => {
                ClipError::Config(format!("`{}`: {reason}", path.display()))
            }
            other => other,
        })
    }

    /// Reads the text of a transformers `config.json`.
    ///
    /// # Errors
    /// [`ClipError::Config`].
    pub fn from_json(text: &str) -> Result<Self, ClipError> {
        let config: Self =
            serde_json::from_str(text).map_err(|error| ClipError::Config(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Whether the model has a text projection (`CLIPTextModelWithProjection`).
    pub fn with_projection(&self) -> bool {
        self.architectures.iter().any(|name| name == "CLIPTextModelWithProjection")
    }

    fn validate(&self) -> Result<(), ClipError> {
        let positive = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(ClipError::Config(format!("`{key}` must be above 0")));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ClipError::Config(format!(
                "`num_attention_heads` = {} does not divide `hidden_size` = {}",
                self.num_attention_heads, self.hidden_size
            )));
        }
        Ok(())
    }
}
