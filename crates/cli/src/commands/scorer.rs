//! Scorers of pictures for their prompts.

use std::path::Path;

use anyhow::Context;
use burn::tensor::{Device, FloatDType};
use clip::OpenClipConfig;
use metrics::ClipScorer;

use crate::options::default_scorer;

/// HPS from a file of weights or an installed package; `tokenizer` else from the folder beside the
/// weights, else the built-in one; `config` of another model than ViT-H-14.
pub fn hps(
    weights: &Path,
    tokenizer: Option<&Path>,
    config: Option<&Path>,
    (device, dtype): (Device, FloatDType),
) -> anyhow::Result<ClipScorer> {
    let files = hub::file_or_installed(weights, &hub::Settings::from_env())?;
    let weights = files.first().context("the package has no files")?;
    let beside = weights.parent().unwrap_or(Path::new(".")).join("tokenizer");
    let beside = Some(beside.as_path()).filter(|folder| folder.is_dir());
    let config = config.map(OpenClipConfig::from_file).transpose()?;
    Ok(ClipScorer::hps(weights, tokenizer.or(beside), config.as_ref(), dtype, &device)?)
}

/// A CLIP from a folder in open_clip's layout, the shipped one where none is named.
pub fn clip(
    folder: Option<&Path>,
    (device, dtype): (Device, FloatDType),
) -> anyhow::Result<ClipScorer> {
    let folder = folder.map_or_else(default_scorer, |folder| Ok(folder.into()))?;
    ClipScorer::from_folder(&folder, dtype, &device)
        .with_context(|| format!("the scorer `{}`", folder.display()))
}
