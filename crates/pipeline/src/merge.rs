//! LoRA files, merged into a pipeline while it is loaded.

use burn::tensor::Device;
use files::Sha256;
use lora::{LoraChoice, LoraFile, Part, PartKind};
use serde::{Deserialize, Serialize};
use weights::{Additions, KeyMap, outline};

use crate::single_file::unet_names;
use crate::{PipelineConfigs, PipelineError};

/// A LoRA that was merged into a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraRecord {
    /// Name of the file, without its folder.
    pub file: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Factor of what it adds.
    pub strength: f64,
    /// The blocks that it was merged into; all where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<String>,
}

impl LoraRecord {
    pub(crate) fn new(choice: &LoraChoice, file: &LoraFile) -> Self {
        let name = choice.path.file_name().unwrap_or_default();
        Self {
            file: name.to_string_lossy().into_owned(),
            sha256: file.sha256().into(),
            strength: choice.strength,
            blocks: choice.blocks.clone(),
        }
    }
}

/// What LoRAs may be merged into: U-Net and text encoders of a model of `configs`.
pub(crate) fn parts(configs: &PipelineConfigs, device: &Device) -> Vec<Part> {
    let mut parts = vec![Part {
        kind: PartKind::UNet,
        weights: outline(&configs.unet.init(device)),
        ldm: unet_names(&configs.unet),
    }];
    for (kind, config) in
        [PartKind::TextEncoder, PartKind::TextEncoder2].into_iter().zip(&configs.text)
    {
        let weights = outline(&config.init(device));
        parts.push(Part { kind, weights, ldm: KeyMap::new() });
    }
    parts
}

/// What LoRAs add to each part of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    pub(crate) unet: Additions,
    /// One for each text encoder.
    pub(crate) text: [Additions; 2],
    pub(crate) records: Vec<LoraRecord>,
}

impl Merge {
    /// Reads the files and fits them to a model of `configs`; several are added up in their order.
    pub(crate) fn new(
        choices: &[LoraChoice],
        configs: &PipelineConfigs,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        let mut merge = Self::default();
        if choices.is_empty() {
            return Ok(merge);
        }
        let parts = parts(configs, device);
        for choice in choices {
            let file = LoraFile::open(&choice.path)?;
            let fitted = file.fit(choice, &parts)?;
            let all = std::iter::once(&mut merge.unet).chain(&mut merge.text);
            for (additions, more) in all.zip(fitted) {
                additions.extend(more);
            }
            merge.records.push(LoraRecord::new(choice, &file));
        }
        Ok(merge)
    }
}

/// SHA-256 of a model of sha256 `model` with LoRAs, in hexadecimal; that of the model itself where
/// there are none.
pub(crate) fn fingerprint(model: String, loras: &[LoraRecord]) -> String {
    if loras.is_empty() {
        return model;
    }
    let mut hash = Sha256::new();
    hash.update(model);
    for LoraRecord { sha256, strength, blocks, .. } in loras {
        hash.update(format!("\nlora {sha256} {strength:?} {}", blocks.join(",")));
    }
    hash.hex()
}

/// The name of a model with LoRAs: `model + file` or `model + file=0.8@up_blocks.1`.
pub(crate) fn title(model: &str, loras: &[LoraRecord]) -> String {
    let mut title = model.to_string();
    for LoraRecord { file, strength, blocks, .. } in loras {
        title += &format!(" + {file}");
        if *strength != 1.0 || !blocks.is_empty() {
            title += &format!("={strength}");
        }
        if !blocks.is_empty() {
            title += &format!("@{}", blocks.join(","));
        }
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(strength: f64, blocks: &[&str]) -> LoraRecord {
        let blocks = blocks.iter().map(ToString::to_string).collect();
        LoraRecord { file: "a.safetensors".into(), sha256: "0".repeat(64), strength, blocks }
    }

    #[test]
    fn fingerprint_tells_strength_blocks_and_order() {
        let prints: Vec<String> = [
            &[][..],
            &[record(1.0, &[])],
            &[record(0.5, &[])],
            &[record(1.0, &["mid_block"])],
            &[record(1.0, &[]), record(0.5, &[])],
            &[record(0.5, &[]), record(1.0, &[])],
        ]
        .map(|loras| fingerprint("model".into(), loras))
        .into();
        assert_eq!(prints[0], "model");
        let different: std::collections::BTreeSet<_> = prints.iter().collect();
        assert_eq!(different.len(), prints.len());
    }

    #[test]
    fn title_says_what_was_merged_where() {
        let loras = [record(1.0, &[]), record(0.8, &[]), record(1.0, &["mid_block"])];
        let expected = "m + a.safetensors + a.safetensors=0.8 + a.safetensors=1@mid_block";
        assert_eq!(title("m", &loras), expected);
    }
}
