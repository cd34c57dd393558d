//! Checkpoints in one file, under the names of the first implementation (LDM).

mod export;
mod parts;
mod text_names;
mod unet_names;
mod vae_names;

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use clip::CLIPTokenizer;
use hub::Manifest;
use lora::LoraChoice;
use weights::{Tensors, WeightsFile, load_tensors};

use crate::device::check_dtype;
use crate::merge::Merge;
use crate::text_encoders::TextEncoders;
use crate::{Pipeline, PipelineConfigs, PipelineError, Precision};
pub use export::CHECKPOINT_METADATA;
use parts::Parts;
pub(crate) use unet_names::unet_names;

impl Pipeline {
    /// Loads a checkpoint in one file, safetensors or PyTorch, with the configuration of a preset
    /// (such files hold none).
    ///
    /// Without a preset it is told by the tensors where that is possible: SDXL's count as
    /// `sdxl-base`, those of SD 1.x as `sd-1.5`; those of SD 2.x do not say whether they predict noise or velocity.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file and what is wrong with it.
    pub fn from_single_file(
        path: impl AsRef<Path>,
        preset: Option<&Manifest>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        Self::single_file(path.as_ref(), preset, &[], dtype, device)
    }

    /// As [`Self::from_single_file`], with LoRAs.
    pub(crate) fn single_file(
        path: &Path,
        preset: Option<&Manifest>,
        loras: &[LoraChoice],
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        check_dtype(device, dtype)?;
        let file = WeightsFile::open(path)?;
        let tensors = file.tensors();
        let wrong = |reason: String| PipelineError::SingleFile { path: path.to_path_buf(), reason };
        let preset = match preset {
            Some(preset) => preset,
            None => preset_of(path, &tensors)?,
        };
        let facts = preset
            .pipeline
            .as_ref()
            .ok_or_else(|| wrong(format!("`{}` is no model", preset.name)))?;
        let configs = PipelineConfigs::of_preset(preset)?;
        configs.check_memory(Precision::of(dtype.into()), device)?;
        let (merge, vae_dtype) = (Merge::new(loras, &configs, device)?, configs.vae_dtype(dtype));
        let PipelineConfigs { unet, vae, text, scheduler, .. } = configs;
        let tokenizers = facts
            .pad_tokens
            .iter()
            .map(|pad| Ok(CLIPTokenizer::openai(pad)?))
            .collect::<Result<Vec<_>, PipelineError>>()?;
        let parts = Parts::sort(tensors, &unet, &vae, &text).map_err(wrong)?;
        let encoders = text
            .iter()
            .zip(parts.text)
            .zip(&merge.text)
            .map(|((config, tensors), additions)| {
                Ok(load_tensors(config.init(device), additions.apply(tensors), path, dtype)?)
            })
            .collect::<Result<Vec<_>, PipelineError>>()?;
        let text = TextEncoders::assemble(tokenizers, encoders, facts.force_zeros_for_empty_prompt)
            .ok_or_else(|| wrong(format!("`{}` has no text encoder", preset.name)))?;
        let unet = load_tensors(unet.init(device), merge.unet.apply(parts.unet), path, dtype)?;
        let vae = load_tensors(vae.init(device), parts.vae, path, vae_dtype)?;
        let place = (path, format!("{} ({})", stem(path), preset.name));
        let pipeline = Self::assemble(place, device, (unet, vae, text), scheduler)?;
        Ok(pipeline.with_facts(facts).with_loras(merge.records))
    }
}

/// The preset whose shape the checkpoint at `path` has.
///
/// # Errors
/// [`PipelineError::SingleFile`] where its tensors do not tell.
pub(crate) fn preset_of_file(path: &Path) -> Result<&'static Manifest, PipelineError> {
    preset_of(path, &WeightsFile::open(path)?.tensors())
}

fn preset_of(path: &Path, tensors: &Tensors<'_>) -> Result<&'static Manifest, PipelineError> {
    let name = parts::guess(tensors)
        .map_err(|reason| PipelineError::SingleFile { path: path.to_path_buf(), reason })?;
    Ok(hub::preset(name)?)
}

/// The tensors of U-Net and text encoders in a checkpoint from `path`, under diffusers' names.
pub(crate) fn checkpoint_parts<'a>(
    path: &Path,
    tensors: Tensors<'a>,
    configs: &PipelineConfigs,
) -> Result<Vec<Tensors<'a>>, PipelineError> {
    let PipelineConfigs { unet, vae, text, .. } = configs;
    let parts = Parts::sort(tensors, unet, vae, text)
        .map_err(|reason| PipelineError::SingleFile { path: path.to_path_buf(), reason })?;
    Ok(std::iter::once(parts.unet).chain(parts.text).collect())
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
