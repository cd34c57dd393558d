//! A whole pipeline: its parts, and what they have in common.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoencoder::AutoencoderKL;
use burn::tensor::Device;
use hub::{Manifest, PipelineFacts};
use scheduler::{NoiseSchedule, SchedulerConfig};
use unet_core::UNet2DConditionModel;

use crate::folder::fingerprint;
use crate::lanes;
use crate::merge::{self, LoraRecord};
use crate::text_encoders::TextEncoders;
use crate::{Conditioning, PipelineError, Precision};

/// Most pixels of one picture: 8192×8192. Beyond them a single feature map of a full-size
/// autoencoder (128 channels in f32) takes more than 32 GiB.
pub const MAX_PIXELS: usize = 1 << 26;

/// A Stable Diffusion pipeline: text encoders, U-Net, autoencoder and scheduler configuration.
///
/// A clone shares the weights.
#[derive(Debug, Clone)]
pub struct Pipeline {
    path: PathBuf,
    /// The model's, as its fingerprint has it.
    base_name: String,
    /// The model's and what was merged.
    name: String,
    loras: Vec<LoraRecord>,
    device: Device,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    pub(crate) text: Arc<TextEncoders>,
    scheduler: SchedulerConfig,
    /// Inference steps and guidance scale.
    recommended: Option<(usize, f64)>,
    /// Whether a batch is decoded picture by picture.
    pub(crate) vae_slicing: bool,
    /// Whether large pictures are decoded in tiles.
    pub(crate) vae_tiling: bool,
    /// Whether threads run parts of the U-Net's batches.
    pub(crate) in_lanes: bool,
}

impl Pipeline {
    /// Puts parts together that fit each other.
    pub(crate) fn assemble(
        (path, name): (&Path, String),
        device: &Device,
        (unet, vae, text): (UNet2DConditionModel, AutoencoderKL, TextEncoders),
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
        if config.out_channels != config.in_channels {
            let (expected, found) = (config.in_channels, config.out_channels);
            let reason = format!(
                "expected a U-Net that predicts the {expected} channels of the latents, found \
                 {found}"
            );
            return Err(PipelineError::Mixed { path: path.to_path_buf(), reason });
        }
        if [vae.config().in_channels, vae.config().out_channels] != [3; 2] {
            let (input, output) = (vae.config().in_channels, vae.config().out_channels);
            let reason = format!(
                "expected an autoencoder of pictures with 3 channels, found {input} in and \
                 {output} out"
            );
            return Err(PipelineError::Mixed { path: path.to_path_buf(), reason });
        }
        let path = path.to_path_buf();
        let device = device.clone();
        let (vae_slicing, vae_tiling, recommended) = (false, false, None);
        let text = Arc::new(text);
        let in_lanes = lanes::suit(&unet);
        Ok(Self {
            path,
            base_name: name.clone(),
            name,
            loras: Vec::new(),
            device,
            unet,
            vae,
            text,
            scheduler,
            recommended,
            vae_slicing,
            vae_tiling,
            in_lanes,
        })
    }

    /// The folder or file it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The preset's name, or the folder's or file's own, and what was merged into it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The LoRAs that were merged into it.
    pub fn loras(&self) -> &[LoraRecord] {
        &self.loras
    }

    /// The same pipeline, said to have LoRAs merged into it.
    pub(crate) fn with_loras(mut self, loras: Vec<LoraRecord>) -> Self {
        self.name = merge::title(&self.base_name, &loras);
        self.loras = loras;
        self
    }

    /// The same pipeline with what a preset says of its use.
    pub(crate) fn with_facts(self, facts: &PipelineFacts) -> Self {
        self.with_recommended(Some((facts.steps, facts.guidance_scale)))
    }

    /// The same pipeline with these inference steps and this guidance scale where none are given.
    pub(crate) fn with_recommended(mut self, recommended: Option<(usize, f64)>) -> Self {
        self.recommended = recommended;
        self
    }

    /// The same pipeline as the preset whose files it was loaded from.
    pub(crate) fn of_preset(mut self, preset: &Manifest) -> Self {
        self.base_name.clone_from(&preset.name);
        self.name = merge::title(&self.base_name, &self.loras);
        match &preset.pipeline {
            Some(facts) => self.with_facts(facts),
            None => self,
        }
    }

    /// The same pipeline with another denoiser of the same configuration; its
    /// [`fingerprint`](Self::fingerprint) stays that of the files.
    pub fn with_unet(&self, unet: UNet2DConditionModel) -> Self {
        Self { in_lanes: lanes::suit(&unet), unet, ..self.clone() }
    }

    /// Inference steps and guidance scale that the preset says, or the folder: its
    /// `model_index.json` under `_recommended`, which diffusers skips as it does all names that
    /// begin so.
    pub fn recommended(&self) -> Option<(usize, f64)> {
        self.recommended
    }

    /// The type of its weights; diffusers would draw this pipeline's noise in it.
    pub fn precision(&self) -> Precision {
        Precision::of(self.unet.dtype())
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

    /// SHA-256 of the weights and configurations, and of what was merged, in hexadecimal.
    ///
    /// # Errors
    /// [`PipelineError::File`] naming the file that cannot be read.
    pub fn fingerprint(&self) -> Result<String, PipelineError> {
        Ok(merge::fingerprint(fingerprint(&self.path, &self.base_name)?, &self.loras))
    }

    /// Latent height and width of a picture of `height` × `width` pixels.
    ///
    /// # Errors
    /// [`PipelineError::Request`] where the size is 0, no multiple of the autoencoder's factor, or
    /// of more than [`MAX_PIXELS`].
    pub fn latent_size(&self, [height, width]: [usize; 2]) -> Result<[usize; 2], PipelineError> {
        let factor = self.vae.config().downscale();
        if height == 0 || width == 0 || height % factor != 0 || width % factor != 0 {
            return Err(PipelineError::Request(format!(
                "expected a height and a width that are multiples of {factor}, found {height}×{width}"
            )));
        }
        if height.checked_mul(width).is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(PipelineError::Request(format!(
                "expected a height and a width of at most {MAX_PIXELS} pixels together, found \
                 {height}×{width}"
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
}
