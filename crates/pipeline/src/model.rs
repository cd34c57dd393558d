use std::path::{Path, PathBuf};

use autoencoder::AutoencoderKL;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use scheduler::{NoiseSchedule, SchedulerConfig};
use sha2::{Digest, Sha256};
use unet_core::UNet2DConditionModel;

use crate::conditioning::TextEncoders;
use crate::{Conditioning, PipelineError};

/// Folders of a pipeline that determine what it computes.
const PARTS: [&str; 7] =
    ["scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae"];

/// A Stable Diffusion pipeline: text encoders, U-Net, autoencoder and scheduler configuration.
#[derive(Debug)]
pub struct Pipeline {
    folder: PathBuf,
    device: Device,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text: TextEncoders,
    scheduler: SchedulerConfig,
}

impl Pipeline {
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
        Ok(Self {
            folder: folder.to_path_buf(),
            device: device.clone(),
            text: TextEncoders::load(folder, &index, dtype, device)?,
            unet: UNet2DConditionModel::from_folder(folder.join("unet"), dtype, device)?,
            vae: AutoencoderKL::from_folder(folder.join("vae"), vae_dtype, device)?,
            scheduler,
        })
    }

    /// The folder it was loaded from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        let canonical = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        canonical.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
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

    /// SHA-256 of the weights and configurations in the folder, in hexadecimal.
    ///
    /// # Errors
    /// [`PipelineError::Io`] naming the file that cannot be read.
    pub fn fingerprint(&self) -> Result<String, PipelineError> {
        let mut hasher = Sha256::new();
        let mut files = Vec::new();
        for part in PARTS {
            let folder = self.folder.join(part);
            if !folder.is_dir() {
                continue;
            }
            let io = |source| PipelineError::Io { path: folder.clone(), source };
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let path = entry.map_err(io)?.path();
                if path.is_file() {
                    files.push(path);
                }
            }
        }
        files.sort();
        for path in files {
            let io = |source| PipelineError::Io { path: path.clone(), source };
            hasher.update(
                path.strip_prefix(&self.folder).unwrap_or(&path).to_string_lossy().as_bytes(),
            );
            let mut file = std::fs::File::open(&path).map_err(io)?;
            std::io::copy(&mut file, &mut hasher).map_err(io)?;
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
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
        self.vae.decode(latents).cast(DType::F32)
    }

    /// Encodes pixels to the mean of their latents, scaled as the U-Net sees them, f32.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, values in [-1, 1]
    pub fn encode(&self, pixels: Tensor<4>) -> Tensor<4> {
        self.vae.encode(pixels).mean.cast(DType::F32) * self.vae.config().scaling_factor
    }
}

/// Reads and checks `model_index.json`.
fn read_index(folder: &Path) -> Result<serde_json::Value, PipelineError> {
    let wrong = |reason: String| PipelineError::Folder { path: folder.to_path_buf(), reason };
    let path = folder.join("model_index.json");
    if !folder.is_dir() {
        return Err(wrong("no such folder".into()));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("`model_index.json`: {error}")))?;
    let index: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("`model_index.json`: {error}")))?;
    let class = index["_class_name"].as_str().unwrap_or("");
    match class {
        "StableDiffusionPipeline" | "StableDiffusionXLPipeline" => Ok(index),
        _ => Err(wrong(format!(
            "expected a StableDiffusionPipeline or StableDiffusionXLPipeline, found `{class}`"
        ))),
    }
}
