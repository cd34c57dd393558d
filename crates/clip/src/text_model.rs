//! The text encoder.

use std::path::Path;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use kernels::{attention, gelu, linear, quick_gelu};
use layers::{LayerNorm, LayerNormConfig};
use weights::{Additions, KeyMap, LoadOptions, WeightsFile};

use crate::{CLIPTextConfig, ClipError, HiddenAct};

/// CLIP's text encoder (transformers `CLIPTextModel`, or `CLIPTextModelWithProjection` where the
/// configuration says so).
#[derive(Module, Debug)]
pub struct CLIPTextModel {
    text_model: TextTransformer,
    text_projection: Option<Linear>,
    #[module(skip)]
    config: CLIPTextConfig,
}

#[derive(Module, Debug)]
struct TextTransformer {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct TextEmbeddings {
    token_embedding: Embedding,
    position_embedding: Embedding,
}

#[derive(Module, Debug)]
struct Encoder {
    layers: Vec<EncoderLayer>,
}

#[derive(Module, Debug)]
struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: SelfAttention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

#[derive(Module, Debug)]
struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    quick: bool,
}

/// What the text encoder computes for a batch of prompts.
#[derive(Debug, Clone)]
pub struct TextOutput {
    /// Output of the embeddings and of every layer, before the final norm:
    /// `num_hidden_layers + 1` tensors `[batch, tokens, hidden_size]`.
    pub hidden_states: Vec<Tensor<3>>,
    /// Last layer's output after the final norm, `[batch, tokens, hidden_size]`.
    pub last_hidden_state: Tensor<3>,
    /// The end-of-text token of `last_hidden_state`, `[batch, hidden_size]`.
    pub pooled: Tensor<2>,
    /// `pooled` through the text projection where there is one, `[batch, projection_dim]`.
    pub text_embeds: Option<Tensor<2>>,
}

/// File names transformers uses, in the order they are tried.
const NAMES: [&str; 2] = ["model.safetensors", "model.fp16.safetensors"];

impl CLIPTextConfig {
    /// A text encoder with random weights on `device`.
    pub fn init(&self, device: &Device) -> CLIPTextModel {
        let width = self.hidden_size;
        let linear = |input, output| LinearConfig::new(input, output).init(device);
        let norm = || LayerNormConfig::new(width).with_epsilon(self.layer_norm_eps).init(device);
        let table = |rows| {
            EmbeddingConfig::new(rows, width)
                .with_initializer(burn::nn::Initializer::Normal { mean: 0.0, std: 0.02 })
                .init(device)
        };
        let layer = |_| EncoderLayer {
            layer_norm1: norm(),
            self_attn: SelfAttention {
                q_proj: linear(width, width),
                k_proj: linear(width, width),
                v_proj: linear(width, width),
                out_proj: linear(width, width),
                heads: self.num_attention_heads,
            },
            layer_norm2: norm(),
            mlp: Mlp {
                fc1: linear(width, self.intermediate_size),
                fc2: linear(self.intermediate_size, width),
                quick: self.hidden_act == HiddenAct::QuickGelu,
            },
        };
        CLIPTextModel {
            text_model: TextTransformer {
                embeddings: TextEmbeddings {
                    token_embedding: table(self.vocab_size),
                    position_embedding: table(self.max_position_embeddings),
                },
                encoder: Encoder { layers: (0..self.num_hidden_layers).map(layer).collect() },
                final_layer_norm: norm(),
            },
            text_projection: self.with_projection().then(|| {
                LinearConfig::new(width, self.projection_dim).with_bias(false).init(device)
            }),
            config: self.clone(),
        }
    }
}

impl CLIPTextModel {
    /// Loads a `text_encoder` folder of a diffusers pipeline.
    ///
    /// # Errors
    /// [`ClipError`]: an unreadable or unimplemented configuration, or weights that do not fit it.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, ClipError> {
        Self::from_folder_with(folder, &Additions::new(), dtype, device)
    }

    /// As [`Self::from_folder`], with `additions` to the weights.
    ///
    /// # Errors
    /// As [`Self::from_folder`].
    pub fn from_folder_with(
        folder: impl AsRef<Path>,
        additions: &Additions,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, ClipError> {
        let folder = folder.as_ref();
        let config = CLIPTextConfig::from_file(folder.join("config.json"))?;
        let file = Self::weights_file(folder)?;
        let options = LoadOptions::new(dtype).with_names(Self::key_map()).with_additions(additions);
        Ok(weights::load(config.init(device), &file, &options)?)
    }

    /// Opens the weights of a `text_encoder` folder of a diffusers pipeline.
    ///
    /// # Errors
    /// [`ClipError::Weights`] where there are none, or they are broken.
    pub fn weights_file(folder: impl AsRef<Path>) -> Result<WeightsFile, ClipError> {
        Ok(WeightsFile::find(folder.as_ref(), &NAMES)?)
    }

    /// The names in files of all versions of transformers: older ones store a buffer that only
    /// counts from 0, and version 5 leaves the first word out where the model has no projection.
    pub fn key_map() -> KeyMap {
        ["embeddings", "encoder", "final_layer_norm"]
            .into_iter()
            .fold(KeyMap::new().drop("text_model.embeddings.position_ids"), |map, part| {
                map.rename(&format!("{part}.**"), &format!("text_model.{part}.**"))
            })
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &CLIPTextConfig {
        &self.config
    }

    /// Encodes token ids, all rows of one length.
    ///
    /// # Panics
    /// Where a row is longer than `max_position_embeddings`, or rows differ in length.
    pub fn forward(&self, ids: &[Vec<u32>]) -> TextOutput {
        let device = self.text_model.embeddings.token_embedding.weight.lazy_device();
        let (batch, tokens) = (ids.len(), ids.first().map_or(0, Vec::len));
        assert!(ids.iter().all(|row| row.len() == tokens), "rows of token ids differ in length");
        assert!(tokens <= self.config.max_position_embeddings, "{tokens} tokens are too many");
        let flat: Vec<i64> = ids.iter().flatten().map(|id| i64::from(*id)).collect();
        let indices = Tensor::<2, Int>::from_data(TensorData::new(flat, [batch, tokens]), &device);
        let positions = Tensor::<1, Int>::arange(0..tokens as i64, &device).unsqueeze();
        let embeddings = &self.text_model.embeddings;
        let mut hidden = embeddings.token_embedding.forward(indices)
            + embeddings.position_embedding.forward(positions);
        let mut hidden_states = vec![hidden.clone()];
        for layer in &self.text_model.encoder.layers {
            hidden = layer.forward(hidden);
            hidden_states.push(hidden.clone());
        }
        let last = self.text_model.final_layer_norm.forward(hidden);
        let pooled = self.pool(&last, ids, &device);
        TextOutput {
            text_embeds: self.text_projection.as_ref().map(|proj| linear(proj, pooled.clone())),
            hidden_states,
            last_hidden_state: last,
            pooled,
        }
    }

    /// The final norm alone, for pipelines that take an earlier hidden state.
    pub fn final_layer_norm(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.text_model.final_layer_norm.forward(hidden)
    }

    /// Picks the end-of-text token of every row.
    fn pool(&self, last: &Tensor<3>, ids: &[Vec<u32>], device: &Device) -> Tensor<2> {
        let [batch, tokens, width] = last.dims();
        let end = |row: &Vec<u32>| match self.config.eos_token_id {
            // The published files say 2 by mistake; the end-of-text token has the highest id.
            2 => first_position(row, *row.iter().max().unwrap_or(&0)),
            eos => first_position(row, eos as u32),
        };
        let flat: Vec<i64> =
            ids.iter().enumerate().map(|(i, row)| (i * tokens + end(row)) as i64).collect();
        let flat = Tensor::<1, Int>::from_data(TensorData::new(flat, [batch]), device);
        last.clone().reshape([batch * tokens, width]).select(0, flat)
    }
}

fn first_position(row: &[u32], id: u32) -> usize {
    row.iter().position(|other| *other == id).unwrap_or(0)
}

impl EncoderLayer {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let attended = self.self_attn.forward(self.layer_norm1.forward(hidden.clone()));
        let hidden = hidden + attended;
        self.mlp.forward(self.layer_norm2.forward(hidden.clone())) + hidden
    }
}

impl SelfAttention {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let query = linear(&self.q_proj, hidden.clone());
        let key = linear(&self.k_proj, hidden.clone());
        let value = linear(&self.v_proj, hidden);
        linear(&self.out_proj, attention(query, key, value, self.heads, true))
    }
}

impl Mlp {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = linear(&self.fc1, hidden);
        linear(&self.fc2, if self.quick { quick_gelu(inner) } else { gelu(inner) })
    }
}

#[cfg(test)]
mod tests {
    use weights::{SaveOptions, StoredDtype, save_with};

    use super::*;

    #[test]
    fn from_folder_reads_the_names_of_transformers_5() {
        let json = r#"{"vocab_size": 6, "hidden_size": 4, "intermediate_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 3,
            "hidden_act": "gelu", "eos_token_id": 5, "architectures": ["CLIPTextModel"]}"#;
        let (folder, device) = (tempfile::tempdir().unwrap(), Device::flex());
        std::fs::write(folder.path().join("config.json"), json).unwrap();
        let config = CLIPTextConfig::from_file(folder.path().join("config.json")).unwrap();
        let model = config.init(&device);
        let output = |model: &CLIPTextModel| model.forward(&[vec![1, 5]]).pooled.into_data();
        let path = folder.path().join(NAMES[0]);
        for names in [KeyMap::new(), CLIPTextModel::key_map()] {
            let options = SaveOptions { names, ..SaveOptions::default() };
            save_with(&model, &path, StoredDtype::F32, &options).unwrap();
            let read = CLIPTextModel::from_folder(folder.path(), FloatDType::F32, &device);
            assert_eq!(output(&read.unwrap()), output(&model));
        }
        let file = WeightsFile::open(&path).unwrap();
        assert!(file.tensors().contains_key("final_layer_norm.bias"));
    }
}
