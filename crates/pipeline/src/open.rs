//! Loading pipelines: by name, or from a folder.

use std::path::Path;

use autoencoder::{AutoencoderKL, AutoencoderKLConfig};
use burn::tensor::{Device, FloatDType};
use hub::Resolved;
use unet_core::UNet2DConditionModel;

use crate::folder::{name_of, read_index, read_scheduler};
use crate::text_encoders::TextEncoders;
use crate::{Pipeline, PipelineError};

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
                let pipeline = Self::from_folder(path, dtype, device)?;
                Ok(match preset {
                    Some(preset) => pipeline.of_preset(preset),
                    None => pipeline,
                })
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
        let scheduler = read_scheduler(folder, &index)?;
        let vae_config = AutoencoderKLConfig::from_file(folder.join("vae/config.json"))?;
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
}
