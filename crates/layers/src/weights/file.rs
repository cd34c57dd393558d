use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::WeightsError;

/// One or several memory-mapped safetensors files that hold the weights of one model.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    maps: Vec<(PathBuf, Mmap)>,
}

impl WeightsFile {
    /// Maps `path`: a `.safetensors` file, or a `.safetensors.index.json` beside its shards.
    ///
    /// # Errors
    /// [`WeightsError::Io`] where a file cannot be opened, [`WeightsError::Format`] where it is no
    /// safetensors file, [`WeightsError::Index`] where the index is broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_path_buf();
        let files = if path.extension().is_some_and(|extension| extension == "json") {
            shards(&path)?
        } else {
            vec![path.clone()]
        };
        let maps = files
            .into_iter()
            .map(|file| map(&file).map(|bytes| (file, bytes)))
            .collect::<Result<Vec<_>, _>>()?;
        let opened = Self { path, maps };
        opened.views()?;
        Ok(opened)
    }

    /// Opens the first of `names` that exists in `folder`.
    ///
    /// # Errors
    /// As [`Self::open`]; where there is none of them the error names the first.
    pub fn find(folder: &Path, names: &[&str]) -> Result<Self, WeightsError> {
        let found = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
        Self::open(found.unwrap_or_else(|| folder.join(names[0])))
    }

    /// The path it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tensors by name, as views into the mapped bytes.
    ///
    /// # Errors
    /// [`WeightsError::Format`] where a file is no safetensors file.
    pub fn views(&self) -> Result<BTreeMap<String, TensorView<'_>>, WeightsError> {
        let mut views = BTreeMap::new();
        for (path, bytes) in &self.maps {
            let tensors = SafeTensors::deserialize(bytes).map_err(|error| format(path, error))?;
            for name in tensors.names() {
                let view = tensors.tensor(name).map_err(|error| format(path, error))?;
                // `TensorView` borrows from the map, not from the parsed header.
                let view = TensorView::new(view.dtype(), view.shape().to_vec(), view.data())
                    .map_err(|error| format(path, error))?;
                views.insert(name.to_string(), view);
            }
        }
        Ok(views)
    }
}

fn format(path: &Path, error: impl std::fmt::Display) -> WeightsError {
    WeightsError::Format { path: path.to_path_buf(), reason: error.to_string() }
}

fn map(path: &Path) -> Result<Mmap, WeightsError> {
    let io = |source| WeightsError::Io { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: the map is read-only; a file that another process truncates meanwhile is outside
    // what any reader of memory-mapped checkpoints can guard against.
    unsafe { Mmap::map(&file) }.map_err(io)
}

/// The shard files named by an index, each once.
fn shards(index: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let broken = |reason: String| WeightsError::Index { path: index.to_path_buf(), reason };
    let text = std::fs::read_to_string(index)
        .map_err(|source| WeightsError::Io { path: index.to_path_buf(), source })?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let map = json
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| broken("no object `weight_map`".into()))?;
    let folder = index.parent().unwrap_or(Path::new("."));
    let mut names: Vec<&str> = Vec::new();
    for (key, value) in map {
        let name = value.as_str().ok_or_else(|| broken(format!("`{key}` names no file")))?;
        if Path::new(name).components().count() != 1 || name == ".." {
            return Err(broken(format!("`{key}` points outside the folder: `{name}`")));
        }
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// The values of a float tensor as f32, whatever its stored type; `None` for other types.
pub(super) fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Some(bytemuck::pod_collect_to_vec(data)),
        Dtype::F16 => Some(
            data.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        ),
        Dtype::BF16 => Some(
            data.chunks_exact(2)
                .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
        ),
        _ => None,
    }
}
