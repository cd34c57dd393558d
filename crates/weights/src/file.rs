//! The weights of one model: a file, or an index and its shards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pytorch_reader::PytorchReader;

use crate::kind::{Kind, kind_of};
use crate::safetensors_file::SafetensorsFile;
use crate::{StoredTensor, Tensors, WeightsError, torch};

/// The weights of one model, in safetensors files or a PyTorch checkpoint.
///
/// Opening reads what the tensors are; their values are read when asked for.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Safetensors(Vec<SafetensorsFile>),
    Torch(Box<PytorchReader>),
}

/// Key below which training checkpoints keep their weights.
const NESTED: &str = "state_dict.";

impl WeightsFile {
    /// Opens `path`: a safetensors file, an index that ends in `.json` beside its shards, or a
    /// PyTorch checkpoint (zip or legacy; read, never executed). Content decides, not the name.
    ///
    /// Where a checkpoint has its weights below `state_dict`, only they are seen, without that
    /// prefix.
    ///
    /// # Errors
    /// [`WeightsError::File`] where a file cannot be read, [`WeightsError::Kind`] where it is
    /// something else, [`WeightsError::Format`], [`WeightsError::Torch`] and
    /// [`WeightsError::Index`] where it is broken, or unsafe.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_path_buf();
        let content = if path.extension().is_some_and(|extension| extension == "json") {
            Content::Safetensors(open_shards(&path)?)
        } else {
            match kind_of(&path)? {
                Kind::Safetensors => Content::Safetensors(vec![SafetensorsFile::open(&path)?]),
                Kind::Zip => Content::Torch(Box::new(torch::open(&path, true)?)),
                Kind::Pickle => Content::Torch(Box::new(torch::open(&path, false)?)),
                Kind::Tar => {
                    let found = "a PyTorch checkpoint from before 2017 (a tar archive); load and \
                                 save it with a newer PyTorch";
                    return Err(WeightsError::Kind { path, found });
                }
                Kind::Other(found) => return Err(WeightsError::Kind { path, found }),
            }
        };
        Ok(Self { path, content })
    }

    /// Opens the first of `names` that exists in `folder`.
    ///
    /// # Errors
    /// As [`Self::open`]; where there is none of them the error names the first.
    pub fn find(folder: &Path, names: &[&str]) -> Result<Self, WeightsError> {
        let existing = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
        Self::open(existing.unwrap_or_else(|| folder.join(names[0])))
    }

    /// The path it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the header of a safetensors file says under `key` beside its tensors.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        match &self.content {
            Content::Safetensors(files) => files.iter().find_map(|file| file.metadata(key)),
            Content::Torch(_) => None,
        }
    }

    /// All tensors by name.
    pub fn tensors(&self) -> Tensors<'_> {
        match &self.content {
            Content::Safetensors(files) => files
                .iter()
                .flat_map(SafetensorsFile::tensors)
                .map(|(name, tensor)| (name.to_string(), StoredTensor::Safetensors(tensor)))
                .collect(),
            Content::Torch(reader) => {
                let nested = reader.tensors().keys().any(|name| name.starts_with(NESTED));
                let prefix = if nested { NESTED } else { "" };
                let inner = |(name, tensor): (&String, _)| {
                    let name = name.strip_prefix(prefix)?;
                    Some((name.to_string(), StoredTensor::Torch(tensor)))
                };
                reader.tensors().iter().filter_map(inner).collect()
            }
        }
    }
}

/// The shards that an index names, each once.
fn open_shards(index: &Path) -> Result<Vec<SafetensorsFile>, WeightsError> {
    let broken = |reason: String| WeightsError::Index { path: index.to_path_buf(), reason };
    let text = files::read_to_string(index)?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let map = json
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| broken("no object `weight_map`".into()))?;
    let folder = index.parent().unwrap_or(Path::new("."));
    let mut names = BTreeSet::new();
    for (key, value) in map {
        let name = value.as_str().ok_or_else(|| broken(format!("`{key}` names no file")))?;
        if Path::new(name).components().count() != 1 || name == ".." {
            return Err(broken(format!("`{key}` points outside the folder: `{name}`")));
        }
        names.insert(name);
    }
    if names.is_empty() {
        return Err(broken("`weight_map` names no file".into()));
    }
    names.into_iter().map(|name| SafetensorsFile::open(&folder.join(name))).collect()
}
