//! Loading a U-Net's weights.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use weights::{Additions, LoadOptions, WeightsFile};

use crate::{UNet2DConditionConfig, UNet2DConditionModel, UNetError};

/// File names diffusers uses, in the order they are tried.
const NAMES: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors.index.json",
];

impl UNet2DConditionModel {
    /// Loads the `unet` folder of a diffusers pipeline into parameters of type `dtype`.
    ///
    /// # Errors
    /// [`UNetError`]: an unreadable or unimplemented configuration, or weights that do not fit it.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, UNetError> {
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
    ) -> Result<Self, UNetError> {
        let folder = folder.as_ref();
        let config = UNet2DConditionConfig::from_file(folder.join("config.json"))?;
        let file = Self::weights_file(folder)?;
        let options = LoadOptions::new(dtype).with_additions(additions);
        Self::from_weights(&config, &file, &options, device)
    }

    /// Opens the weights of the `unet` folder of a diffusers pipeline.
    ///
    /// # Errors
    /// [`UNetError::Weights`] where there are none, or they are broken.
    pub fn weights_file(folder: impl AsRef<Path>) -> Result<WeightsFile, UNetError> {
        Ok(WeightsFile::find(folder.as_ref(), &NAMES)?)
    }

    /// Loads weights that fit `config`.
    ///
    /// # Errors
    /// [`UNetError::Weights`] lists everything that does not fit.
    pub fn from_weights(
        config: &UNet2DConditionConfig,
        file: &WeightsFile,
        options: &LoadOptions,
        device: &Device,
    ) -> Result<Self, UNetError> {
        Ok(weights::load(config.init(device), file, options)?)
    }
}
