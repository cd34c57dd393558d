//! Loading pipelines: by name, or from a folder.

use std::path::Path;

use autoencoder::AutoencoderKL;
use burn::tensor::{Device, FloatDType};
use hub::Resolved;
use lora::LoraChoice;
use unet_core::UNet2DConditionModel;

use crate::device::check_dtype;
use crate::folder::{read_index, read_recommended};
use crate::merge::Merge;
use crate::text_encoders::TextEncoders;
use crate::{Pipeline, PipelineConfigs, PipelineError, Precision};

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
        Self::open_with(name, base, &[], dtype, device)
    }

    /// As [`Self::open`], with LoRAs that are merged into the weights of U-Net and text encoders, in
    /// their order; the pipeline's name and fingerprint tell them.
    ///
    /// # Errors
    /// As [`Self::open`]; [`PipelineError::Lora`] naming the file and key that do not fit.
    pub fn open_with(
        name: &str,
        base: Option<&str>,
        loras: &[LoraChoice],
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        match hub::resolve(name, &hub::Settings::from_env())? {
            Resolved::Folder { path, preset } => {
                let pipeline = Self::folder(&path, loras, dtype, device)?;
                Ok(match preset {
                    Some(preset) => pipeline.of_preset(preset),
                    None => pipeline,
                })
            }
            Resolved::SingleFile { path, preset } => {
                let preset = base.map(hub::preset).transpose()?.or(preset);
                Self::single_file(&path, preset, loras, dtype, device)
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
        Self::folder(folder.as_ref(), &[], dtype, device)
    }

    /// As [`Self::from_folder`], with LoRAs.
    fn folder(
        folder: &Path,
        loras: &[LoraChoice],
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        check_dtype(device, dtype)?;
        let index = read_index(folder)?;
        let recommended = read_recommended(folder, &index)?;
        let configs = PipelineConfigs::from_folder(folder)?;
        configs.check_memory(Precision::of(dtype.into()), device)?;
        let vae_dtype = configs.vae_dtype(dtype);
        let merge = Merge::new(loras, &configs, device)?;
        let unet = folder.join("unet");
        let (unet, (vae, text)) = both(
            device,
            || UNet2DConditionModel::from_folder_with(unet, &merge.unet, dtype, device),
            || {
                let vae = AutoencoderKL::from_folder(folder.join("vae"), vae_dtype, device);
                (vae, TextEncoders::load(folder, &index, &merge.text, dtype, device))
            },
        );
        let parts = (unet?, vae?, text?);
        let pipeline = Self::assemble((folder, configs.name), device, parts, configs.scheduler)?;
        Ok(pipeline.with_recommended(recommended).with_loras(merge.records))
    }
}

/// Both results; in the CPU's memory they are made at the same time.
fn both<A: Send, B: Send>(
    device: &Device,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if *device == Device::flex() { rayon::join(first, second) } else { (first(), second()) }
}
