//! An OpenCLIP model: both towers.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use kernels::conv2d;
use layers::LayerNorm;
use layers::trace::named;
use weights::{LoadOptions, SaveOptions, StoredDtype, WeightsFile};

use super::config::{OpenClipConfig, OpenClipVisionConfig};
use super::transformer::{Sizes, Transformer, names, norm};
use crate::ClipError;

/// An OpenCLIP model (open_clip `CLIP`): both towers and the learnt temperature.
#[derive(Module, Debug)]
pub struct OpenClip {
    visual: OpenClipVision,
    transformer: Transformer,
    token_embedding: Embedding,
    positional_embedding: Param<Tensor<2>>,
    ln_final: LayerNorm,
    text_projection: Param<Tensor<2>>,
    logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    config: OpenClipConfig,
}

/// The picture tower (open_clip `VisionTransformer`).
#[derive(Module, Debug)]
pub struct OpenClipVision {
    conv1: Conv2d,
    class_embedding: Param<Tensor<1>>,
    positional_embedding: Param<Tensor<2>>,
    ln_pre: LayerNorm,
    transformer: Transformer,
    ln_post: LayerNorm,
    proj: Param<Tensor<2>>,
    #[module(skip)]
    config: OpenClipVisionConfig,
}

fn normal<const D: usize>(shape: [usize; D], std: f64, device: &Device) -> Param<Tensor<D>> {
    Initializer::Normal { mean: 0.0, std }.init(shape, device)
}

impl OpenClipConfig {
    /// The picture tower alone with random weights on `device`.
    pub fn init_vision(&self, device: &Device) -> OpenClipVision {
        OpenClipVision::new(self, device)
    }

    /// A model with random weights on `device`, its temperature at CLIP's 0.07.
    pub fn init(&self, device: &Device) -> OpenClip {
        let text = &self.text_cfg;
        let sizes = Sizes {
            width: text.width,
            layers: text.layers,
            heads: text.heads,
            mlp_ratio: text.mlp_ratio,
            quick_gelu: self.quick_gelu,
            causal: true,
        };
        OpenClip {
            visual: OpenClipVision::new(self, device),
            transformer: Transformer::new(&sizes, device),
            token_embedding: EmbeddingConfig::new(text.vocab_size, text.width)
                .with_initializer(Initializer::Normal { mean: 0.0, std: 0.02 })
                .init(device),
            positional_embedding: normal([text.context_length, text.width], 0.01, device),
            ln_final: norm(text.width, device),
            text_projection: normal(
                [text.width, self.embed_dim],
                (text.width as f64).powf(-0.5),
                device,
            ),
            logit_scale: Initializer::Constant { value: (1.0f64 / 0.07).ln() }.init([1], device),
            config: self.clone(),
        }
    }
}

impl OpenClip {
    /// Loads a checkpoint, safetensors or PyTorch, onto `device`.
    ///
    /// # Errors
    /// [`ClipError::Weights`] where it cannot be read or does not fit `config`.
    pub fn from_file(
        config: &OpenClipConfig,
        path: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, ClipError> {
        let file = WeightsFile::open(path)?;
        let options = LoadOptions::new(dtype).with_names(names());
        Ok(weights::load(config.init(device), &file, &options)?)
    }

    /// Writes the weights as safetensors under open_clip's names.
    ///
    /// # Errors
    /// [`ClipError::Weights`] where the file cannot be written or a value does not fit `dtype`.
    pub fn save(&self, path: &Path, dtype: StoredDtype) -> Result<(), ClipError> {
        let scalars = vec!["logit_scale".into()];
        let options = SaveOptions { names: names(), scalars };
        Ok(weights::save_with(self, path, dtype, &options)?)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &OpenClipConfig {
        &self.config
    }

    /// The picture tower.
    pub fn visual(&self) -> &OpenClipVision {
        &self.visual
    }

    /// Logarithm of the factor that training multiplies cosines with, `[1]`.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val()
    }

    /// Embeds texts, not normalised: the state of each row's end-of-text token (its highest id),
    /// projected.
    ///
    /// # Shapes
    /// - output: `[batch, embed_dim]`
    ///
    /// # Panics
    /// Where a row has more than `context_length` tokens, or rows differ in length.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Tensor<2> {
        let device = self.positional_embedding.lazy_device();
        let (batch, tokens) = (ids.len(), ids.first().map_or(0, Vec::len));
        assert!(ids.iter().all(|row| row.len() == tokens), "rows of token ids differ in length");
        let flat: Vec<i64> = ids.iter().flatten().map(|id| i64::from(*id)).collect();
        let indices = Tensor::<2, Int>::from_data(TensorData::new(flat, [batch, tokens]), &device);
        let positions: Tensor<3> = self.positional_embedding.val().narrow(0, 0, tokens).unsqueeze();
        let hidden = self.token_embedding.forward(indices) + positions;
        let hidden = named("transformer", None, || self.transformer.forward(hidden));
        let width = hidden.dims()[2];
        let ends: Vec<i64> =
            ids.iter().enumerate().map(|(i, row)| (i * tokens + end(row)) as i64).collect();
        let ends = Tensor::<1, Int>::from_data(TensorData::new(ends, [batch]), &device);
        let pooled = hidden.reshape([batch * tokens, width]).select(0, ends);
        self.ln_final.forward(pooled).matmul(self.text_projection.val())
    }

    /// Embeds preprocessed pictures, not normalised; see [`OpenClipVision::forward`].
    pub fn encode_image(&self, pixels: Tensor<4>) -> Tensor<2> {
        named("visual", None, || self.visual.forward(pixels))
    }
}

/// Position of the highest id, the first where it occurs several times.
fn end(row: &[u32]) -> usize {
    let highest = row.iter().max();
    row.iter().position(|id| Some(id) == highest).unwrap_or(0)
}

impl OpenClipVision {
    fn new(config: &OpenClipConfig, device: &Device) -> Self {
        let vision = &config.vision_cfg;
        let (width, patch) = (vision.width, vision.patch_size);
        let scale = (width as f64).powf(-0.5);
        let sizes = Sizes {
            width,
            layers: vision.layers,
            heads: vision.heads(),
            mlp_ratio: vision.mlp_ratio,
            quick_gelu: config.quick_gelu,
            causal: false,
        };
        Self {
            conv1: Conv2dConfig::new([3, width], [patch, patch])
                .with_stride([patch, patch])
                .with_bias(false)
                .init(device),
            class_embedding: normal([width], scale, device),
            positional_embedding: normal([vision.tokens(), width], scale, device),
            ln_pre: norm(width, device),
            transformer: Transformer::new(&sizes, device),
            ln_post: norm(width, device),
            proj: normal([width, config.embed_dim], scale, device),
            config: vision.clone(),
        }
    }

    /// Loads the picture tower alone, from a checkpoint that may hold the text tower as well.
    ///
    /// # Errors
    /// As [`OpenClip::from_file`].
    pub fn from_file(
        config: &OpenClipConfig,
        path: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, ClipError> {
        let file = WeightsFile::open(path)?;
        let options = LoadOptions::new(dtype).with_names(names().under("visual."));
        Ok(weights::load(Self::new(config, device), &file, &options)?)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &OpenClipVisionConfig {
        &self.config
    }

    /// The device its parameters are on.
    pub fn device(&self) -> Device {
        self.positional_embedding.lazy_device()
    }

    /// Embeds preprocessed pictures, not normalised.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, image_size, image_size]`, normalised by the model's mean and deviation
    /// - output: `[batch, embed_dim]`
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        let pixels = pixels.cast(self.positional_embedding.val().dtype());
        let patches = conv2d(&self.conv1, pixels);
        let [batch, width, rows, columns] = patches.dims();
        let patches: Tensor<3> = patches.reshape([batch, width, rows * columns]).swap_dims(1, 2);
        let class: Tensor<3> = self.class_embedding.val().reshape([1, 1, width as i64]);
        let tokens = Tensor::cat(vec![class.expand([batch, 1, width]), patches], 1);
        let tokens = tokens + self.positional_embedding.val().unsqueeze::<3>();
        let hidden = self.ln_pre.forward(tokens);
        let hidden = named("transformer", None, || self.transformer.forward(hidden));
        let class = hidden.narrow(1, 0, 1).reshape([batch, width]);
        self.ln_post.forward(class).matmul(self.proj.val())
    }
}

/// Rows divided by their Euclidean norm, so that products of rows are cosines.
pub fn normalize(rows: Tensor<2>) -> Tensor<2> {
    let norm = rows.clone().square().sum_dim(1).sqrt();
    rows / norm.clamp_min(1e-12)
}
