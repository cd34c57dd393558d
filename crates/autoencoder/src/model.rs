//! The variational autoencoder.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{DType, Device, FloatDType, Tensor};
use kernels::conv2d;
use layers::trace::named;
use weights::{KeyMap, LoadOptions, WeightsFile};

use crate::coder::{Decoder, Encoder};
use crate::{AutoencoderError, AutoencoderKLConfig};

/// The variational autoencoder of Stable Diffusion (diffusers `AutoencoderKL`).
#[derive(Module, Debug)]
pub struct AutoencoderKL {
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Conv2d,
    post_quant_conv: Conv2d,
    #[module(skip)]
    config: AutoencoderKLConfig,
}

/// The diagonal Gaussian that the encoder predicts, `[batch, latent_channels, height, width]` each.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// Mean; what deterministic encoding uses.
    pub mean: Tensor<4>,
    /// Logarithm of the variance, clamped to [-30, 20].
    pub logvar: Tensor<4>,
}

/// File names diffusers uses, in the order they are tried.
const NAMES: [&str; 2] =
    ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"];

/// The names in files written by early versions of diffusers, which call the parts of an attention
/// layer otherwise.
fn names() -> KeyMap {
    [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")]
        .into_iter()
        .fold(KeyMap::new(), |map, (old, new)| {
            map.rename(&format!("**.attentions.0.{old}.*"), &format!("**.attentions.0.{new}.*"))
        })
}

impl AutoencoderKLConfig {
    /// An autoencoder with random weights on `device`.
    pub fn init(&self, device: &Device) -> AutoencoderKL {
        let conv1x1 = |channels| Conv2dConfig::new([channels, channels], [1, 1]).init(device);
        AutoencoderKL {
            encoder: Encoder::new(self, device),
            decoder: Decoder::new(self, device),
            quant_conv: conv1x1(2 * self.latent_channels),
            post_quant_conv: conv1x1(self.latent_channels),
            config: self.clone(),
        }
    }
}

impl AutoencoderKL {
    /// Loads the `vae` folder of a diffusers pipeline.
    ///
    /// # Errors
    /// [`AutoencoderError`]: an unreadable or unimplemented configuration, or weights that do not
    /// fit it.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, AutoencoderError> {
        let folder = folder.as_ref();
        let config = AutoencoderKLConfig::from_file(folder.join("config.json"))?;
        let file = WeightsFile::find(folder, &NAMES)?;
        let options = LoadOptions::new(dtype).with_names(names());
        Ok(weights::load(config.init(device), &file, &options)?)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &AutoencoderKLConfig {
        &self.config
    }

    /// The data type of its weights, in which it computes.
    pub fn dtype(&self) -> DType {
        self.quant_conv.weight.val().dtype()
    }

    /// The same weights under another `scaling_factor`.
    pub fn with_scaling_factor(mut self, factor: f64) -> Self {
        self.config.scaling_factor = factor;
        self
    }

    /// Encodes pictures; the latents are not yet multiplied by `scaling_factor`.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, values in [-1, 1]
    /// - output: `[batch, latent_channels, height / downscale, width / downscale]` each
    pub fn encode(&self, pixels: Tensor<4>) -> Posterior {
        let dtype = self.dtype();
        let hidden = named("encoder", None, || self.encoder.forward(pixels.cast(dtype)));
        let moments = named("quant_conv", None, || conv2d(&self.quant_conv, hidden));
        let channels = self.config.latent_channels;
        Posterior {
            mean: moments.clone().narrow(1, 0, channels),
            logvar: moments.narrow(1, channels, channels).clamp(-30.0, 20.0),
        }
    }

    /// Decodes latents that were already divided by `scaling_factor`.
    ///
    /// # Shapes
    /// - latents: `[batch, latent_channels, height, width]`
    /// - output: `[batch, 3, height · downscale, width · downscale]`, values about [-1, 1]
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let dtype = self.dtype();
        let hidden =
            named("post_quant_conv", None, || conv2d(&self.post_quant_conv, latents.cast(dtype)));
        named("decoder", None, || self.decoder.forward(hidden))
    }
}
