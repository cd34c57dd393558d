//! Modules written as safetensors files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{FloatDType, Tensor};
use safetensors::{Dtype, View};

use crate::key_path::KeyPath;
use crate::values::Values;
use crate::{KeyMap, Mismatch, WeightsError};

/// Data type of the tensors in a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredDtype {
    /// 32-bit floats: nothing is lost.
    F32,
    /// 16-bit floats, half the size.
    F16,
}

/// Writes all float parameters of `module` to `path` under their Hugging Face names.
///
/// The file appears complete or not at all.
///
/// # Errors
/// [`WeightsError::File`] where it cannot be written, [`WeightsError::Mismatch`] where a value does
/// not fit the type (NaN, or beyond the range of f16).
pub fn save<M: Module>(module: &M, path: &Path, dtype: StoredDtype) -> Result<(), WeightsError> {
    save_with(module, path, dtype, &SaveOptions::default())
}

/// Where a file departs from the module it is made from.
#[derive(Debug, Clone, Default)]
pub struct SaveOptions {
    /// The file's names for the module's parameters, see [`KeyMap::inverted`].
    pub names: KeyMap,
    /// Names, as in the file, of tensors of one value that are stored without dimensions.
    pub scalars: Vec<String>,
}

/// As [`save`], with `options`.
///
/// # Errors
/// As [`save`].
pub fn save_with<M: Module>(
    module: &M,
    path: &Path,
    dtype: StoredDtype,
    options: &SaveOptions,
) -> Result<(), WeightsError> {
    let mut collector = Collector {
        path: KeyPath::default(),
        dtype,
        names: &options.names,
        tensors: BTreeMap::new(),
        not_finite: Vec::new(),
    };
    module.visit(&mut collector);
    let Collector { mut tensors, not_finite, .. } = collector;
    if !not_finite.is_empty() {
        let mismatch = Box::new(Mismatch { not_finite, ..Default::default() });
        return Err(WeightsError::Mismatch { path: path.into(), mismatch });
    }
    for name in &options.scalars {
        if let Some(tensor) = tensors.get_mut(name) {
            tensor.shape.clear();
        }
    }
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| {
        WeightsError::Format { path: path.to_path_buf(), reason: error.to_string() }
    })?;
    Ok(files::write_atomically(path, bytes)?)
}

struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

struct Collector<'a> {
    path: KeyPath,
    dtype: StoredDtype,
    names: &'a KeyMap,
    tensors: BTreeMap<String, Stored>,
    not_finite: Vec<String>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(name) = self.names.renamed(&self.path.key()) else { return };
        let data = param.val().into_data();
        let mut shape: Vec<usize> = data.shape().iter().copied().collect();
        let mut values = Values::of(data);
        if self.path.is_linear_weight() {
            values = values.transposed(shape[0], shape[1]);
            shape.reverse();
        }
        let (dtype, float) = match self.dtype {
            StoredDtype::F32 => (Dtype::F32, FloatDType::F32),
            StoredDtype::F16 => (Dtype::F16, FloatDType::F16),
        };
        let values = values.cast(float);
        if !values.is_finite() {
            self.not_finite.push(name.clone());
        }
        self.tensors.insert(name, Stored { dtype, shape, bytes: values.to_bytes() });
    }
}
