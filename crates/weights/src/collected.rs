//! Tensors on their way into a file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{FloatDType, Tensor};
use files::{AtomicFile, FileError};
use serde_json::json;

use crate::key_map::{Form, Origin};
use crate::key_path::KeyPath;
use crate::values::{Float, Values};
use crate::{KeyMap, Mismatch, StoredDtype, WeightsError};

/// The float parameters of modules, as a safetensors file will have them.
///
/// All values are held, in the file's type.
#[derive(Debug)]
pub struct Collected {
    dtype: StoredDtype,
    tensors: BTreeMap<String, Stored>,
}

#[derive(Debug)]
struct Stored {
    shape: Vec<usize>,
    /// Little-endian.
    bytes: Vec<u8>,
    finite: bool,
}

impl Collected {
    /// Those of `module`, under their Hugging Face names; linear weights are `[outputs, inputs]`.
    pub fn of<M: Module>(module: &M, dtype: StoredDtype) -> Self {
        let mut collector = Collector {
            path: KeyPath::default(),
            collected: Self { dtype, tensors: BTreeMap::new() },
        };
        module.visit(&mut collector);
        collector.collected
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The names and forms of a file that `names` reads: renamed, turned and put together again.
    ///
    /// # Errors
    /// [`WeightsError::Incomplete`] naming a tensor of the file of which parts are missing or do not
    /// fit each other.
    pub fn restored(self, names: &KeyMap) -> Result<Self, WeightsError> {
        let Self { dtype, tensors } = self;
        let incomplete = |name: &String| WeightsError::Incomplete { name: name.clone() };
        let mut restored = BTreeMap::new();
        let mut parts: BTreeMap<String, Vec<Option<Stored>>> = BTreeMap::new();
        for (name, stored) in tensors {
            let Origin { name, form } = names.origin(&name);
            match form {
                Form::Same => {
                    restored.insert(name, stored);
                }
                Form::Transposed => {
                    let turned = stored.transposed(dtype).ok_or_else(|| incomplete(&name))?;
                    restored.insert(name, turned);
                }
                Form::Part { index, count } => {
                    let parts = parts.entry(name).or_default();
                    parts.resize_with(count, || None);
                    parts[index] = Some(stored);
                }
            }
        }
        for (name, parts) in parts {
            let whole = parts.into_iter().collect::<Option<Vec<_>>>();
            let whole = whole.and_then(Stored::joined).ok_or_else(|| incomplete(&name))?;
            restored.insert(name, whole);
        }
        Ok(Self { dtype, tensors: restored })
    }

    /// The shape of a tensor, where there is one of that name.
    pub fn shape_mut(&mut self, name: &str) -> Option<&mut Vec<usize>> {
        self.tensors.get_mut(name).map(|stored| &mut stored.shape)
    }

    /// These and others of the same type.
    pub fn with(mut self, others: Self) -> Self {
        self.tensors.extend(others.tensors);
        self
    }

    /// Writes them to `path`, which appears complete or not at all; `metadata` goes into its header.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] where a value does not fit the type (NaN, or beyond the range of
    /// f16), [`WeightsError::File`] where the file cannot be written.
    pub fn write(&self, path: &Path, metadata: &[(&str, &str)]) -> Result<(), WeightsError> {
        let wrong = |(name, stored): (&String, &Stored)| (!stored.finite).then(|| name.clone());
        let not_finite: Vec<String> = self.tensors.iter().filter_map(wrong).collect();
        if !not_finite.is_empty() {
            let mismatch = Box::new(Mismatch { not_finite, ..Mismatch::default() });
            return Err(WeightsError::Mismatch { path: path.into(), mismatch });
        }
        let mut file = AtomicFile::create(path)?;
        let header = self.header(metadata);
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(FileError::at(path));
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        for stored in self.tensors.values() {
            put(&stored.bytes)?;
        }
        Ok(file.commit()?)
    }

    /// The header of the safetensors format, filled with spaces so that the values are aligned.
    fn header(&self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let metadata: BTreeMap<&str, &str> = metadata.iter().copied().collect();
        let mut entries = vec![format!("\"__metadata__\":{}", json!(metadata))];
        let mut start = 0;
        for (name, Stored { shape, bytes, .. }) in &self.tensors {
            let end = start + bytes.len();
            let (name, dtype) = (json!(name), json!(self.dtype.name()));
            let place = format!("\"shape\":{},\"data_offsets\":[{start},{end}]", json!(shape));
            entries.push(format!("{name}:{{\"dtype\":{dtype},{place}}}"));
            start = end;
        }
        let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        header
    }
}

impl Stored {
    /// Rows and columns exchanged; `None` for what is no matrix.
    fn transposed(self, dtype: StoredDtype) -> Option<Self> {
        let Self { shape, bytes, finite } = self;
        let [rows, columns] = shape[..] else { return None };
        let values = Values::decode(dtype.float(), &bytes).transposed(rows, columns);
        Some(Self { shape: vec![columns, rows], bytes: values.to_bytes(), finite })
    }

    /// Below each other; `None` where their rows differ.
    fn joined(parts: Vec<Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut whole = parts.next()?;
        for part in parts {
            let (rows, columns) = part.shape.split_first()?;
            if whole.shape.get(1..) != Some(columns) {
                return None;
            }
            whole.shape[0] += rows;
            whole.bytes.extend(part.bytes);
            whole.finite &= part.finite;
        }
        Some(whole)
    }
}

impl StoredDtype {
    /// As a safetensors file names it.
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
        }
    }

    fn float(self) -> Float {
        match self {
            Self::F32 => Float::F32,
            Self::F16 => Float::F16,
        }
    }
}

struct Collector {
    path: KeyPath,
    collected: Collected,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let mut shape: Vec<usize> = data.shape().iter().copied().collect();
        let mut values = Values::of(data);
        if self.path.is_linear_weight() {
            values = values.transposed(shape[0], shape[1]);
            shape.reverse();
        }
        let values = values.cast(match self.collected.dtype {
            StoredDtype::F32 => FloatDType::F32,
            StoredDtype::F16 => FloatDType::F16,
        });
        let stored = Stored { shape, finite: values.is_finite(), bytes: values.to_bytes() };
        self.collected.tensors.insert(self.path.key(), stored);
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;
    use crate::{LoadOptions, WeightsFile, load};

    #[derive(Module, Debug)]
    struct Attention {
        q: Linear,
        k: Linear,
        out: Linear,
    }

    fn attention(keys: usize) -> Attention {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&Device::flex());
        Attention { q: linear(3, 2), k: linear(keys, 2), out: linear(3, 4) }
    }

    fn names() -> KeyMap {
        KeyMap::new()
            .split("qk.weight", &["q.weight", "k.weight"])
            .split("qk.bias", &["q.bias", "k.bias"])
            .transpose("proj", "out.weight")
            .rename("proj_bias", "out.bias")
            .under("model.")
    }

    #[test]
    fn restored_tensors_are_read_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (path, module) = (folder.path().join("a.safetensors"), attention(3));
        let restored = Collected::of(&module, StoredDtype::F32).restored(&names()).unwrap();
        let expected = ["model.proj", "model.proj_bias", "model.qk.bias", "model.qk.weight"];
        assert_eq!(restored.names().collect::<Vec<_>>(), expected);
        restored.write(&path, &[("format", "pt"), ("by", "a \"test\"")]).unwrap();
        let file = WeightsFile::open(&path).unwrap();
        assert_eq!(file.tensors()["model.proj"].shape(), [3, 4]);
        assert_eq!(file.tensors()["model.qk.weight"].shape(), [4, 3]);
        let options = LoadOptions::new(FloatDType::F32).with_names(names());
        let loaded = load(attention(3), &file, &options).unwrap();
        let again = Collected::of(&loaded, StoredDtype::F32).restored(&names()).unwrap();
        let copy = folder.path().join("b.safetensors");
        again.write(&copy, &[("by", "a \"test\""), ("format", "pt")]).unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(loaded.q.weight.val().into_data(), module.q.weight.val().into_data());
        // The format's own reader agrees.
        let bytes = std::fs::read(&path).unwrap();
        let (length, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!((length + 8) % 8, 0);
        assert_eq!(header.metadata().as_ref().unwrap()["by"], "a \"test\"");
    }

    #[test]
    fn parts_that_do_not_fit_each_other_are_named() {
        let error = Collected::of(&attention(5), StoredDtype::F32).restored(&names()).unwrap_err();
        assert!(error.to_string().contains("`model.qk.weight`"), "{error}");
        let absent = KeyMap::new().split("v", &["out.bias", "absent"]);
        let error = Collected::of(&attention(3), StoredDtype::F32).restored(&absent).unwrap_err();
        assert!(error.to_string().contains("`v`"), "{error}");
    }
}
