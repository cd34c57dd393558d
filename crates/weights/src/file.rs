use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use pytorch_reader::PytorchReader;
use safetensors::{SafeTensors, tensor::TensorView};

use crate::pickle::check_imports;
use crate::{StoredTensor, Tensors, WeightsError};

/// The weights of one model: memory-mapped safetensors, or a PyTorch checkpoint.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Safetensors(Vec<(PathBuf, Mmap)>),
    Torch(Box<PytorchReader>),
}

/// Key below which training checkpoints keep their weights.
const NESTED: &str = "state_dict.";

impl WeightsFile {
    /// Opens `path`: a `.safetensors` file, a `.safetensors.index.json` beside its shards, or a
    /// PyTorch checkpoint (zip or legacy; read, never executed). Content decides, not the name.
    ///
    /// Where a checkpoint has its weights below `state_dict`, only they are seen, without that
    /// prefix.
    ///
    /// # Errors
    /// [`WeightsError::Io`] where a file cannot be opened, [`WeightsError::Format`] where it is no
    /// safetensors file, [`WeightsError::Pickle`] where it is a broken or unsafe PyTorch file,
    /// [`WeightsError::Index`] where the index is broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_path_buf();
        if path.extension().is_none_or(|extension| extension != "json") && is_pickle(&path)? {
            return Ok(Self { content: Content::Torch(Box::new(open_torch(&path)?)), path });
        }
        let files = if path.extension().is_some_and(|extension| extension == "json") {
            shards(&path)?
        } else {
            vec![path.clone()]
        };
        let maps = files
            .into_iter()
            .map(|file| map(&file).map(|bytes| (file, bytes)))
            .collect::<Result<Vec<_>, _>>()?;
        let opened = Self { path, content: Content::Safetensors(maps) };
        opened.tensors()?;
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

    /// All tensors by name; their values are read when asked for.
    ///
    /// # Errors
    /// [`WeightsError::Format`] where a file is no safetensors file.
    pub fn tensors(&self) -> Result<Tensors<'_>, WeightsError> {
        let mut all = Tensors::new();
        match &self.content {
            Content::Safetensors(maps) => {
                for (path, bytes) in maps {
                    let tensors =
                        SafeTensors::deserialize(bytes).map_err(|error| format(path, error))?;
                    for name in tensors.names() {
                        let view = tensors.tensor(name).map_err(|error| format(path, error))?;
                        // `TensorView` borrows from the map, not from the parsed header.
                        let view =
                            TensorView::new(view.dtype(), view.shape().to_vec(), view.data())
                                .map_err(|error| format(path, error))?;
                        all.insert(name.to_string(), StoredTensor::Mapped(view));
                    }
                }
            }
            Content::Torch(reader) => {
                let nested = reader.tensors().keys().any(|name| name.starts_with(NESTED));
                for (name, tensor) in reader.tensors() {
                    let name = match (nested, name.strip_prefix(NESTED)) {
                        (true, None) => continue,
                        (true, Some(inner)) => inner,
                        (false, _) => name,
                    };
                    all.insert(name.to_string(), StoredTensor::Torch(tensor));
                }
            }
        }
        Ok(all)
    }
}

/// Whether the file begins as a zip archive or a pickle does. The first eight bytes of a
/// safetensors file are the length of its header, far below what these would mean.
fn is_pickle(path: &Path) -> Result<bool, WeightsError> {
    let io = |source| WeightsError::Io { path: path.to_path_buf(), source };
    let mut start = Vec::new();
    File::open(path).map_err(io)?.take(8).read_to_end(&mut start).map_err(io)?;
    let length = <[u8; 8]>::try_from(start.as_slice()).map_or(0, u64::from_le_bytes);
    let zip = start.starts_with(b"PK\x03\x04");
    Ok(zip
        || (start.first() == Some(&0x80)
            && matches!(start.get(1), Some(1..=5))
            && length >> 32 != 0))
}

fn open_torch(path: &Path) -> Result<PytorchReader, WeightsError> {
    let broken = |reason: String| WeightsError::Pickle { path: path.to_path_buf(), reason };
    check_imports(path).map_err(broken)?;
    let reader = PytorchReader::new(path).map_err(|error| broken(error.to_string()))?;
    if reader.is_empty() {
        return Err(broken("it holds no tensors".into()));
    }
    Ok(reader)
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
