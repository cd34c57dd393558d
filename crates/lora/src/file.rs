//! A LoRA file: its layers, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use files::FileError;
use weights::{StoredTensor, WeightsError, WeightsFile};

use crate::config::{PeftConfig, read};
use crate::key::{Role, parse};
use crate::low_rank::through;
use crate::{LoraError, LowRank, PartKind};

/// A LoRA file, of which every tensor is known to belong to a layer.
#[derive(Debug)]
pub struct LoraFile {
    pub(crate) path: PathBuf,
    sha256: String,
    /// By the file's names.
    pub(crate) layers: BTreeMap<String, Layer>,
    pub(crate) configs: BTreeMap<PartKind, PeftConfig>,
}

/// What a file has of one layer.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The key of its `down` factor, for messages.
    pub(crate) key: String,
    pub(crate) matrix: LowRank,
    /// Inputs of the layer.
    pub(crate) inputs: usize,
    /// Height and width of its kernel; 1 and 1 for a linear layer.
    pub(crate) kernel: [usize; 2],
    pub(crate) alpha: Option<f32>,
    /// Values of its factors.
    pub(crate) parameters: usize,
}

/// One tensor of a file.
struct Factor {
    key: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl LoraFile {
    /// Reads `path`: safetensors, or a PyTorch file, which is parsed and never executed.
    ///
    /// # Errors
    /// [`LoraError`] naming the file and the key: what is of no LoRA, is incomplete, has factors
    /// that do not fit each other, or values that are no finite floats.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LoraError> {
        let file = WeightsFile::open(path.as_ref())?;
        let path = file.path().to_path_buf();
        let mut groups: BTreeMap<String, BTreeMap<Role, Factor>> = BTreeMap::new();
        for (key, tensor) in file.tensors() {
            let (layer, role) = parse(&key).map_err(|what| LoraError::Key {
                path: path.clone(),
                key: key.clone(),
                reason: what.into(),
            })?;
            let (layer, factor) = (layer.to_string(), factor(&path, &key, &tensor)?);
            if let Some(other) = groups.entry(layer).or_default().insert(role, factor) {
                let reason = format!("it is of the same layer as `{}`", other.key);
                return Err(LoraError::Tensor { path, key, reason });
            }
        }
        let layers = groups
            .into_iter()
            .map(|(name, group)| {
                let layer = layer(&path, &name, group)?;
                Ok((name, layer))
            })
            .collect::<Result<BTreeMap<_, _>, LoraError>>()?;
        if layers.is_empty() {
            let reason = "it has no tensors".into();
            return Err(WeightsError::Format { path, reason }.into());
        }
        let configs = read(&file)?;
        let sha256 = files::sha256_file(&path).map_err(WeightsError::from)?;
        Ok(Self { path, sha256, layers, configs })
    }

    /// SHA-256 of the file in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What models the file seems to be for, told by its names and by the text's width.
    pub(crate) fn family(&self) -> Option<&'static str> {
        let any = |mark: &str| self.layers.keys().any(|name| name.contains(mark));
        let transformer = ["double_blocks", "single_blocks", "joint_blocks", "single_transformer"];
        if transformer.iter().any(|mark| any(mark)) || any("transformer.transformer_blocks") {
            return Some("a diffusion transformer, such as Flux or SD 3");
        }
        let cross = |name: &str| name.contains("attn2") && name.ends_with("to_k");
        let text = self.layers.iter().find(|(name, _)| cross(name));
        match text.map(|(_, layer)| layer.inputs) {
            Some(768) => Some("SD 1.x, whose text has 768 channels"),
            Some(1024) => Some("SD 2.x, whose text has 1024 channels"),
            Some(2048) => Some("SDXL, whose text has 2048 channels"),
            _ => any("lora_te2_").then_some("SDXL, which has two text encoders"),
        }
    }
}

fn factor(path: &Path, key: &str, tensor: &StoredTensor<'_>) -> Result<Factor, LoraError> {
    let wrong = |reason: String| LoraError::Tensor { path: path.into(), key: key.into(), reason };
    let values = tensor
        .to_f32()
        .map_err(|source| WeightsError::from(FileError { path: path.into(), reason: source }))?;
    let values = values.ok_or_else(|| {
        wrong(format!("expected F64, F32, F16 or BF16, found {}", tensor.dtype()))
    })?;
    if !values.iter().all(|value| value.is_finite()) {
        return Err(wrong("it has values that are NaN or infinite".into()));
    }
    Ok(Factor { key: key.into(), shape: tensor.shape().to_vec(), values })
}

/// The layer that the factors of one name make.
fn layer(path: &Path, name: &str, mut group: BTreeMap<Role, Factor>) -> Result<Layer, LoraError> {
    let wrong = |key: &str, reason: String| LoraError::Tensor {
        path: path.into(),
        key: key.into(),
        reason,
    };
    let dims = |factor: &Factor| match factor.shape[..] {
        [a, b] if a * b > 0 => Ok([a, b, 1, 1]),
        [a, b, height, width] if a * b * height * width > 0 => Ok([a, b, height, width]),
        ref found => {
            Err(wrong(&factor.key, format!("expected 2 or 4 dimensions above 0, found {found:?}")))
        }
    };
    let (down, up) = (group.remove(&Role::Down), group.remove(&Role::Up));
    let (Some(down), Some(up)) = (down, up) else {
        return Err(wrong(name, "expected a factor down and a factor up, found one alone".into()));
    };
    let [mut rank, inputs, height, width] = dims(&down)?;
    let mut parameters = down.values.len() + up.values.len();
    let (mut kernel, mut values) = ([height, width], down.values);
    if let Some(mid) = group.remove(&Role::Mid) {
        let [rows, columns, height, width] = dims(&mid)?;
        if columns != rank || kernel != [1, 1] {
            let reason = format!(
                "its shape {:?} does not follow on {:?} of `{}`",
                mid.shape, down.shape, down.key
            );
            return Err(wrong(&mid.key, reason));
        }
        parameters += mid.values.len();
        values = through(&mid.values, &values, rank, height * width);
        (rank, kernel) = (rows, [height, width]);
    }
    let [_, columns, height, width] = dims(&up)?;
    if (columns, height, width) != (rank, 1, 1) {
        let reason =
            format!("its shape {:?} does not follow on rank {rank} of `{}`", up.shape, down.key);
        return Err(wrong(&up.key, reason));
    }
    let alpha = match group.remove(&Role::Alpha) {
        Some(Factor { values, .. }) if values.len() == 1 => Some(values[0]),
        Some(Factor { key, shape, .. }) => {
            return Err(wrong(&key, format!("expected one value, found {shape:?}")));
        }
        None => None,
    };
    let matrix = LowRank::new(up.values, values, rank);
    Ok(Layer { key: down.key, matrix, inputs, kernel, alpha, parameters })
}
