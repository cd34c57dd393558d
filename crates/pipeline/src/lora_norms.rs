//! How far LoRAs change the weights of each part of a model, without loading it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use clip::CLIPTextModel;
use files::FileError;
use hub::{HubError, Resolved, Settings};
use lora::{FittedLayer, LoraChoice, LoraFile, Part, PartKind};
use serde::Serialize;
use unet_core::UNet2DConditionModel;
use weights::{Tensors, WeightsError, WeightsFile};

use crate::folder::{read_index, text_encoders};
use crate::merge::parts;
use crate::single_file::checkpoint_parts;
use crate::{LoraRecord, PipelineConfigs, PipelineError};

/// How far a LoRA changes one part of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoraPart {
    /// diffusers' path, such as `down_blocks.0` (its resnets included), `conv_in`,
    /// `text_encoder`.
    pub path: String,
    /// Layers that it changes.
    pub layers: usize,
    /// The lowest and the highest rank; `None` where it changes nothing.
    pub ranks: Option<[usize; 2]>,
    /// Values that the file has of these layers.
    pub parameters: usize,
    /// Frobenius norm of what it adds to their weights, as strong as it was chosen.
    pub change: f64,
    /// Frobenius norm of the weights of these layers; `None` where it changes nothing, or the
    /// model's weights are not on this machine.
    pub weights: Option<f64>,
}

impl LoraPart {
    /// `change / weights`; `None` where the weights are not known, or all 0.
    pub fn relative(&self) -> Option<f64> {
        self.weights.filter(|weights| *weights > 0.0).map(|weights| self.change / weights)
    }
}

/// How far a LoRA changes a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoraNorms {
    /// Which LoRA, how strongly and where.
    #[serde(flatten)]
    pub lora: LoraRecord,
    /// Every part of the U-Net in the order of its modules, then the text encoders.
    pub parts: Vec<LoraPart>,
    /// All of them together.
    pub whole: LoraPart,
}

/// How far each LoRA by itself changes the model that `name` stands for. Only the weights of changed
/// layers are read, one at a time; a preset's need not be on this machine.
///
/// # Errors
/// [`PipelineError`] as where the model is loaded with these LoRAs.
pub fn lora_norms(
    name: &str,
    base: Option<&str>,
    choices: &[LoraChoice],
) -> Result<Vec<LoraNorms>, PipelineError> {
    let configs = PipelineConfigs::open(name, base)?;
    match hub::resolve(name, &Settings::from_env()) {
        Ok(Resolved::Folder { path, .. }) => of_folder(&path, &configs, choices),
        Ok(Resolved::SingleFile { path, .. }) => of_single_file(&path, &configs, choices),
        Err(HubError::Absent { .. }) => of_each(choices, &configs, &[]),
        Err(error) => Err(error.into()),
    }
}

fn of_folder(
    folder: &Path,
    configs: &PipelineConfigs,
    choices: &[LoraChoice],
) -> Result<Vec<LoraNorms>, PipelineError> {
    let unet = UNet2DConditionModel::weights_file(folder.join("unet"))?;
    let texts = text_encoders(&read_index(folder)?)
        .iter()
        .map(|part| Ok(CLIPTextModel::weights_file(folder.join(part))?))
        .collect::<Result<Vec<WeightsFile>, PipelineError>>()?;
    let mut weights = vec![(unet.path(), unet.tensors())];
    for text in &texts {
        let tensors = CLIPTextModel::key_map().apply(text.tensors());
        let unfit = |unfit| WeightsError::Unfit { path: text.path().into(), unfit };
        weights.push((text.path(), tensors.map_err(unfit)?));
    }
    of_each(choices, configs, &weights)
}

fn of_single_file(
    path: &Path,
    configs: &PipelineConfigs,
    choices: &[LoraChoice],
) -> Result<Vec<LoraNorms>, PipelineError> {
    let file = WeightsFile::open(path)?;
    let tensors = checkpoint_parts(path, file.tensors(), configs)?;
    let weights: Vec<_> = tensors.into_iter().map(|tensors| (path, tensors)).collect();
    of_each(choices, configs, &weights)
}

fn of_each(
    choices: &[LoraChoice],
    configs: &PipelineConfigs,
    weights: &[(&Path, Tensors<'_>)],
) -> Result<Vec<LoraNorms>, PipelineError> {
    let parts = parts(configs, &Device::flex());
    choices.iter().map(|choice| norms(choice, configs, &parts, weights)).collect()
}

/// `weights` are those of U-Net and text encoders, as `parts` are; or none.
fn norms(
    choice: &LoraChoice,
    configs: &PipelineConfigs,
    parts: &[Part],
    weights: &[(&Path, Tensors<'_>)],
) -> Result<LoraNorms, PipelineError> {
    let file = LoraFile::open(&choice.path)?;
    let path_of = |part: &Part, weight: &str| match part.kind {
        PartKind::UNet => configs.unet.part_of(weight),
        kind => kind.name().into(),
    };
    let mut paths: Vec<String> = Vec::new();
    for part in parts {
        for weight in &part.weights {
            let path = path_of(part, &weight.name);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let mut whole = Sum::default();
    for layer in file.layers(choice, parts)? {
        let weights = match weights.get(layer.part) {
            Some((path, tensors)) => Some(squares(path, tensors, &layer.weight)?),
            None => None,
        };
        sums.entry(path_of(&parts[layer.part], &layer.weight)).or_default().add(&layer, weights);
        whole.add(&layer, weights);
    }
    let parts = paths.into_iter().map(|path| sums.remove(&path).unwrap_or_default().part(path));
    Ok(LoraNorms {
        lora: LoraRecord::new(choice, &file),
        parts: parts.collect(),
        whole: whole.part("all".into()),
    })
}

/// Σ w² of a tensor.
fn squares(path: &Path, tensors: &Tensors<'_>, name: &str) -> Result<f64, PipelineError> {
    let wrong = |reason: String| WeightsError::Format { path: path.into(), reason };
    let tensor = tensors.get(name).ok_or_else(|| wrong(format!("it has no tensor `{name}`")))?;
    let values = tensor
        .to_f32()
        .map_err(|reason| WeightsError::from(FileError { path: path.into(), reason }))?
        .ok_or_else(|| wrong(format!("`{name}` has no floats but {}", tensor.dtype())))?;
    Ok(values.iter().map(|value| f64::from(*value).powi(2)).sum())
}

/// What is summed over layers.
#[derive(Debug, Default)]
struct Sum {
    layers: usize,
    ranks: Option<[usize; 2]>,
    parameters: usize,
    change: f64,
    weights: Option<f64>,
}

impl Sum {
    fn add(&mut self, layer: &FittedLayer, weights: Option<f64>) {
        let [_, rank, _] = layer.matrix.dims();
        let [low, high] = self.ranks.unwrap_or([rank, rank]);
        self.ranks = Some([low.min(rank), high.max(rank)]);
        self.layers += 1;
        self.parameters += layer.parameters;
        self.change += layer.matrix.norm().powi(2);
        if let Some(weights) = weights {
            *self.weights.get_or_insert(0.0) += weights;
        }
    }

    fn part(self, path: String) -> LoraPart {
        let Self { layers, ranks, parameters, change, weights } = self;
        let (change, weights) = (change.sqrt(), weights.map(f64::sqrt));
        LoraPart { path, layers, ranks, parameters, change, weights }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::FloatDType;
    use safetensors::serialize_to_file;
    use safetensors::tensor::{Dtype, TensorView};
    use weights::StoredDtype;

    use super::*;
    use crate::{Pipeline, tiny, write_synthetic};

    #[test]
    fn a_checkpoint_in_one_file_has_the_norms_of_its_folder() {
        let at = tempfile::tempdir().unwrap();
        let (folder, single) = (at.path().join("model"), at.path().join("model.safetensors"));
        let preset = tiny(hub::preset("sd-turbo").unwrap());
        write_synthetic(&preset, &folder, Dtype::F16, 1).unwrap();
        let pipeline = Pipeline::from_folder(&folder, FloatDType::F32, &Device::flex()).unwrap();
        pipeline.write_single_file(&single, StoredDtype::F16).unwrap();
        let configs = PipelineConfigs::from_folder(&folder).unwrap();
        let bytes = 0.5f32.to_le_bytes().repeat(64);
        let view = |shape: [usize; 2]| TensorView::new(Dtype::F32, shape.into(), &bytes).unwrap();
        let layers = [
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
            "text_encoder.text_model.encoder.layers.0.self_attn.k_proj",
        ];
        let factors = layers.iter().flat_map(|layer| {
            let key = |factor: &str| format!("{layer}.lora_{factor}.weight");
            [(key("A"), view([2, 32])), (key("B"), view([32, 2]))]
        });
        let path = at.path().join("lora.safetensors");
        serialize_to_file(factors, None, &path).unwrap();
        let choices = [LoraChoice { strength: -2.0, ..LoraChoice::new(path) }];
        let norms = of_folder(&folder, &configs, &choices).unwrap();
        assert_eq!(of_single_file(&single, &configs, &choices).unwrap(), norms);
        let LoraNorms { parts, whole, .. } = &norms[0];
        let changed: Vec<_> = parts.iter().filter(|part| part.layers > 0).collect();
        assert_eq!(
            changed.iter().map(|part| &*part.path).collect::<Vec<_>>(),
            ["down_blocks.0", "text_encoder"]
        );
        // Each of 32 × 32 values is −2 · 2 · 0.5².
        assert!(changed.iter().all(|part| (part.change - 32.0).abs() < 1e-9));
        assert_eq!((whole.parameters, whole.ranks), (256, Some([2, 2])));
        // Without the model's weights the changes are the same.
        let alone = &of_each(&choices, &configs, &[]).unwrap()[0];
        assert!(alone.whole.weights.is_none() && alone.whole.change == whole.change);
    }
}
