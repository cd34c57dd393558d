use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoencoder::AutoencoderKL;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use hub::{PipelineFacts, Resolved};
use scheduler::{NoiseSchedule, SchedulerConfig};
use unet_core::UNet2DConditionModel;

use crate::conditioning::TextEncoders;
use crate::folder::{fingerprint, name_of, read_index};
use crate::{Conditioning, NoiseType, PipelineError};

/// A Stable Diffusion pipeline: text encoders, U-Net, autoencoder and scheduler configuration.
///
/// A clone shares the weights.
#[derive(Debug, Clone)]
pub struct Pipeline {
    path: PathBuf,
    name: String,
    device: Device,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text: Arc<TextEncoders>,
    scheduler: SchedulerConfig,
    facts: Option<PipelineFacts>,
    vae_slicing: bool,
    vae_tiling: bool,
}

impl Pipeline {
    /// Loads what `name` stands for: a diffusers pipeline folder, a checkpoint in one file, or a
    /// preset whose files are in the cache.
    ///
    /// `base` is the preset whose configuration a checkpoint in one file has, where the file itself
    /// does not tell.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file and what is wrong with it, or how to fetch the preset.
    pub fn open(
        name: &str,
        base: Option<&str>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        match hub::resolve(name, &hub::Settings::from_env())? {
            Resolved::Folder { path, preset } => {
                let mut pipeline = Self::from_folder(path, dtype, device)?;
                if let Some(preset) = preset {
                    pipeline.name.clone_from(&preset.name);
                    pipeline.facts.clone_from(&preset.pipeline);
                }
                Ok(pipeline)
            }
            Resolved::SingleFile { path, preset } => {
                let preset = base.map(hub::preset).transpose()?.or(preset);
                Self::from_single_file(path, preset, dtype, device)
            }
        }
    }

    /// Loads a diffusers pipeline folder.
    ///
    /// In half precision the autoencoder stays in f32 where its `force_upcast` says that it would
    /// overflow.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file and what is wrong with it.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        let folder = folder.as_ref();
        let index = read_index(folder)?;
        let scheduler = SchedulerConfig::from_file(folder.join("scheduler/scheduler_config.json"))?;
        let vae_config =
            autoencoder::AutoencoderKLConfig::from_file(folder.join("vae/config.json"))?;
        let vae_dtype = if vae_config.force_upcast { FloatDType::F32 } else { dtype };
        Self::assemble(
            (folder, name_of(folder)),
            device,
            UNet2DConditionModel::from_folder(folder.join("unet"), dtype, device)?,
            AutoencoderKL::from_folder(folder.join("vae"), vae_dtype, device)?,
            TextEncoders::load(folder, &index, dtype, device)?,
            scheduler,
        )
    }

    /// Puts parts together that fit each other.
    pub(crate) fn assemble(
        (path, name): (&Path, String),
        device: &Device,
        unet: UNet2DConditionModel,
        vae: AutoencoderKL,
        text: TextEncoders,
        scheduler: SchedulerConfig,
    ) -> Result<Self, PipelineError> {
        let mixed = |what: &str, expected: usize, found: usize| {
            let reason = format!("the U-Net expects {expected} {what}, found {found}");
            Err(PipelineError::Mixed { path: path.to_path_buf(), reason })
        };
        let config = unet.config();
        let (context, pooled) = text.widths();
        if config.cross_attention_dim != context {
            return mixed("channels of text", config.cross_attention_dim, context);
        }
        if let Some(sizes) = config.addition_embed {
            let expected = sizes.input_dim.saturating_sub(6 * sizes.time_embed_dim);
            if pooled != Some(expected) {
                return mixed("channels of pooled text", expected, pooled.unwrap_or(0));
            }
        }
        if config.in_channels != vae.config().latent_channels {
            return mixed("channels of latents", config.in_channels, vae.config().latent_channels);
        }
        let path = path.to_path_buf();
        let device = device.clone();
        let (vae_slicing, vae_tiling, facts) = (false, false, None);
        let text = Arc::new(text);
        Ok(Self { path, name, device, unet, vae, text, scheduler, facts, vae_slicing, vae_tiling })
    }

    /// The folder or file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The preset's name, or the folder's or file's own.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same pipeline with what a preset says of its use.
    pub(crate) fn with_facts(mut self, facts: &PipelineFacts) -> Self {
        self.facts = Some(facts.clone());
        self
    }

    /// The same pipeline with another denoiser of the same configuration; its
    /// [`fingerprint`](Self::fingerprint) stays that of the files.
    pub fn with_unet(&self, unet: UNet2DConditionModel) -> Self {
        Self { unet, ..self.clone() }
    }

    /// Inference steps and guidance scale of the preset, where it is of one.
    pub fn recommended(&self) -> Option<(usize, f64)> {
        self.facts.as_ref().map(|facts| (facts.steps, facts.guidance_scale))
    }

    /// The data type in which diffusers would draw this pipeline's noise: that of its weights.
    pub fn noise_type(&self) -> NoiseType {
        match self.unet.dtype() {
            DType::F16 => NoiseType::F16,
            DType::BF16 => NoiseType::BF16,
            _ => NoiseType::F32,
        }
    }

    /// Whether a batch is decoded picture by picture: less memory, the same pictures.
    pub fn with_vae_slicing(mut self, on: bool) -> Self {
        self.vae_slicing = on;
        self
    }

    /// Whether large pictures are decoded in overlapping tiles: much less memory, slightly
    /// different pictures.
    pub fn with_vae_tiling(mut self, on: bool) -> Self {
        self.vae_tiling = on;
        self
    }

    /// Parameters of its text encoders.
    pub fn text_params(&self) -> usize {
        self.text.num_params()
    }

    /// The device its parameters are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The denoiser.
    pub fn unet(&self) -> &UNet2DConditionModel {
        &self.unet
    }

    /// The autoencoder.
    pub fn vae(&self) -> &AutoencoderKL {
        &self.vae
    }

    /// The folder's scheduler configuration.
    pub fn scheduler_config(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    /// The noise schedule the model was trained with.
    pub fn noise_schedule(&self) -> NoiseSchedule {
        NoiseSchedule::new(&self.scheduler)
    }

    /// SHA-256 of the weights and configurations, in hexadecimal.
    ///
    /// # Errors
    /// [`PipelineError::Io`] naming the file that cannot be read.
    pub fn fingerprint(&self) -> Result<String, PipelineError> {
        fingerprint(&self.path, &self.name)
    }

    /// Latent height and width of a picture of `height` × `width` pixels.
    ///
    /// # Errors
    /// [`PipelineError::Request`] where the size is 0 or no multiple of the autoencoder's factor.
    pub fn latent_size(&self, [height, width]: [usize; 2]) -> Result<[usize; 2], PipelineError> {
        let factor = self.vae.config().downscale();
        if height == 0 || width == 0 || height % factor != 0 || width % factor != 0 {
            return Err(PipelineError::Request(format!(
                "expected a height and a width that are multiples of {factor}, found {height}×{width}"
            )));
        }
        Ok([height / factor, width / factor])
    }

    /// Height and width, in pixels, the model was trained on (512×512 where it does not say).
    pub fn default_size(&self) -> [usize; 2] {
        let factor = self.vae.config().downscale();
        self.unet.config().sample_size.map_or([512, 512], |size| size.map(|side| side * factor))
    }

    /// Encodes prompts.
    ///
    /// # Errors
    /// [`PipelineError::Request`] where there is none.
    pub fn encode_prompts(&self, prompts: &[String]) -> Result<Conditioning, PipelineError> {
        self.text.encode(prompts)
    }

    /// Encodes the negative prompt for every sample of `like`; an absent one as the pipeline's
    /// class does (an empty text, or zeros).
    ///
    /// # Errors
    /// As [`Self::encode_prompts`].
    pub fn encode_negative(
        &self,
        negative: Option<&str>,
        like: &Conditioning,
    ) -> Result<Conditioning, PipelineError> {
        self.text.encode_negative(negative, like)
    }

    /// Those of `prompts` whose end the text encoder does not see.
    pub fn truncated_prompts<'a>(&self, prompts: &'a [String]) -> Vec<&'a str> {
        self.text.truncated(prompts)
    }

    /// Decodes latents to pixels.
    ///
    /// # Shapes
    /// - latents: `[batch, channels, height, width]`, scaled as the U-Net sees them
    /// - output: `[batch, 3, height, width]` in pixels, values about [-1, 1], f32
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let latents = latents.cast(DType::F32) / self.vae.config().scaling_factor;
        let decode = |latents: Tensor<4>| {
            let decoded = match self.vae_tiling {
                true => self.vae.decode_tiled(latents),
                false => self.vae.decode(latents),
            };
            decoded.cast(DType::F32)
        };
        if !self.vae_slicing {
            return decode(latents);
        }
        let samples = latents.dims()[0];
        Tensor::cat((0..samples).map(|i| decode(latents.clone().narrow(0, i, 1))).collect(), 0)
    }

    /// Encodes pixels to the mean of their latents, scaled as the U-Net sees them, f32.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, values in [-1, 1]
    pub fn encode(&self, pixels: Tensor<4>) -> Tensor<4> {
        self.vae.encode(pixels).mean.cast(DType::F32) * self.vae.config().scaling_factor
    }
}
