//! The configurations of a pipeline's parts, without their weights.

use std::path::Path;

use autoencoder::AutoencoderKLConfig;
use burn::tensor::FloatDType;
use clip::CLIPTextConfig;
use hub::{HubError, Manifest, PipelineFacts, Resolved, Settings};
use scheduler::SchedulerConfig;
use unet_core::UNet2DConditionConfig;

use crate::PipelineError;
use crate::folder::{name_of, read_index, read_scheduler, text_encoders};
use crate::single_file::preset_of_file;

/// The configurations of a pipeline's parts, without their weights.
#[derive(Debug, Clone)]
pub struct PipelineConfigs {
    /// The preset's name, or the folder's own.
    pub name: String,
    /// The denoiser's.
    pub unet: UNet2DConditionConfig,
    /// The autoencoder's.
    pub vae: AutoencoderKLConfig,
    /// The text encoders'.
    pub text: Vec<CLIPTextConfig>,
    /// The scheduler's.
    pub scheduler: SchedulerConfig,
    /// How a preset is used.
    pub facts: Option<PipelineFacts>,
}

impl PipelineConfigs {
    /// Reads what `name` stands for. A preset need not be on this machine.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file and what is wrong with it.
    pub fn open(name: &str, base: Option<&str>) -> Result<Self, PipelineError> {
        match hub::resolve(name, &Settings::from_env()) {
            Ok(Resolved::Folder { path, preset }) => {
                let mut configs = Self::from_folder(&path)?;
                if let Some(preset) = preset {
                    configs.name.clone_from(&preset.name);
                    configs.facts.clone_from(&preset.pipeline);
                }
                Ok(configs)
            }
            Ok(Resolved::SingleFile { path, preset }) => {
                match base.map(hub::preset).transpose()?.or(preset) {
                    Some(preset) => Self::of_preset(preset),
                    None => Self::of_preset(preset_of_file(&path)?),
                }
            }
            Err(HubError::Absent { name, .. }) => Self::of_preset(hub::preset(&name)?),
            Err(error) => Err(error.into()),
        }
    }

    /// The configurations a manifest holds.
    ///
    /// # Errors
    /// [`PipelineError`] where it is of no model, or a configuration is broken.
    pub fn of_preset(preset: &Manifest) -> Result<Self, PipelineError> {
        let place = |part: &str| format!("models/{}.toml [config.{part}]", preset.name);
        let json = |part: &str| preset.config.get(part).map(ToString::to_string);
        let of = |part: &str| json(part).unwrap_or_else(|| "null".into());
        Ok(Self {
            name: preset.name.clone(),
            unet: UNet2DConditionConfig::from_json(&of("unet"), &place("unet"))?,
            vae: AutoencoderKLConfig::from_json(&of("vae"), &place("vae"))?,
            text: ["text_encoder", "text_encoder_2"]
                .into_iter()
                .filter_map(|part| Some((part, json(part)?)))
                .map(|(part, text)| Ok(CLIPTextConfig::from_json(&text, &place(part))?))
                .collect::<Result<_, PipelineError>>()?,
            scheduler: SchedulerConfig::from_json(&of("scheduler"), &place("scheduler"))?,
            facts: preset.pipeline.clone(),
        })
    }

    /// The configurations in a diffusers pipeline folder.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file and what is wrong with it.
    pub fn from_folder(folder: &Path) -> Result<Self, PipelineError> {
        let index = read_index(folder)?;
        Ok(Self {
            name: name_of(folder),
            unet: UNet2DConditionConfig::from_file(folder.join("unet/config.json"))?,
            vae: AutoencoderKLConfig::from_file(folder.join("vae/config.json"))?,
            text: text_encoders(&index)
                .iter()
                .map(|part| Ok(CLIPTextConfig::from_file(folder.join(part).join("config.json"))?))
                .collect::<Result<_, PipelineError>>()?,
            scheduler: read_scheduler(folder, &index)?,
            facts: None,
        })
    }

    /// The data type of the autoencoder where the other weights have `dtype`: f32 where it would
    /// overflow in another.
    pub(crate) fn vae_dtype(&self, dtype: FloatDType) -> FloatDType {
        if self.vae.force_upcast { FloatDType::F32 } else { dtype }
    }

    /// Height and width, in pixels, the model was trained on (512×512 where it does not say).
    pub fn default_size(&self) -> [usize; 2] {
        let factor = self.vae.downscale();
        self.unet.sample_size.map_or([512, 512], |size| size.map(|side| side * factor))
    }
}
