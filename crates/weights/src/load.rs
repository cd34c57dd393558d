//! Modules filled from weights files, with everything that does not fit listed at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, FloatDType, Tensor};
use files::FileError;

use crate::key_path::KeyPath;
use crate::values::Values;
use crate::{Additions, KeyMap, Mismatch, StoredTensor, WeightsError, WeightsFile};

/// How a file is fitted to a module.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Data type of the loaded parameters.
    pub dtype: FloatDType,
    /// The module's names for the file's tensors.
    pub names: KeyMap,
    /// What is added to the tensors, by the module's names.
    pub additions: Additions,
}

impl LoadOptions {
    /// Parameters of type `dtype` under the file's own names; every tensor must be used.
    pub fn new(dtype: FloatDType) -> Self {
        Self { dtype, names: KeyMap::new(), additions: Additions::new() }
    }

    /// The same with other names.
    pub fn with_names(mut self, names: KeyMap) -> Self {
        self.names = names;
        self
    }

    /// The same with something added.
    pub fn with_additions(mut self, additions: &Additions) -> Self {
        self.additions = additions.clone();
        self
    }
}

/// Fills `module` from `file`, one tensor at a time, converting to `options.dtype`.
///
/// Parameters that were never materialised stay so until their tensor arrives: neither the random
/// initialisation nor a second copy of the model is ever held. Values that are stored in the type
/// asked for are not converted.
///
/// # Errors
/// [`WeightsError::Mismatch`] lists *all* missing, unexpected, wrongly shaped, wrongly typed and
/// non-finite tensors at once.
pub fn load<M: Module>(
    module: M,
    file: &WeightsFile,
    options: &LoadOptions,
) -> Result<M, WeightsError> {
    let path = file.path();
    let tensors = options.names.apply(file.tensors());
    let tensors =
        tensors.map_err(|unfit| WeightsError::Unfit { path: path.to_path_buf(), unfit })?;
    load_tensors(module, options.additions.apply(tensors), path, options.dtype)
}

/// The tensors of a weights file by name.
pub type Tensors<'a> = BTreeMap<String, StoredTensor<'a>>;

/// Fills `module` from `tensors`, which came from `path` and have the module's names.
///
/// # Errors
/// As [`load`].
pub fn load_tensors<M: Module>(
    module: M,
    tensors: Tensors<'_>,
    path: &Path,
    dtype: FloatDType,
) -> Result<M, WeightsError> {
    if tensors.keys().any(|name| name.contains("lora_")) {
        return Err(WeightsError::Adapter { path: path.to_path_buf() });
    }
    let unused = tensors.keys().cloned().collect();
    let mut loader = Loader {
        tensors,
        unused,
        path: KeyPath::default(),
        dtype,
        mismatch: Mismatch::default(),
        unreadable: None,
    };
    let module = module.map(&mut loader);
    if let Some(source) = loader.unreadable {
        return Err(FileError { path: path.to_path_buf(), reason: source }.into());
    }
    loader.mismatch.unexpected = loader.unused.into_iter().collect();
    if loader.mismatch.is_empty() {
        Ok(module)
    } else {
        let (path, mismatch) = (path.to_path_buf(), Box::new(loader.mismatch));
        Err(WeightsError::Mismatch { path, mismatch })
    }
}

struct Loader<'a> {
    tensors: Tensors<'a>,
    unused: BTreeSet<String>,
    path: KeyPath,
    dtype: FloatDType,
    mismatch: Mismatch,
    unreadable: Option<std::io::Error>,
}

impl Loader<'_> {
    /// The values for the parameter `key`, or `None` after noting what is wrong.
    fn values(&mut self, key: &str, shape: &[usize], transposed: bool) -> Option<Values> {
        self.unused.remove(key);
        let Some(stored) = self.tensors.get(key) else {
            self.mismatch.missing.push(key.to_string());
            return None;
        };
        let expected: Vec<usize> =
            if transposed { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        // A 1×1 convolution is the same map as a linear layer.
        let found = match stored.shape() {
            // burn has no tensors without dimensions.
            [] => vec![1],
            [out, inner, 1, 1] if transposed => vec![*out, *inner],
            other => other.to_vec(),
        };
        if found != expected {
            self.mismatch.wrong_shape.push((key.into(), expected, stored.shape().to_vec()));
            return None;
        }
        let values = match stored.values() {
            Ok(Some(values)) => values,
            Ok(None) => {
                self.mismatch.wrong_dtype.push((key.into(), stored.dtype()));
                return None;
            }
            Err(error) => {
                self.unreadable.get_or_insert(error);
                return None;
            }
        };
        let values = if transposed { values.transposed(expected[0], expected[1]) } else { values };
        let values = values.cast(self.dtype);
        if !values.is_finite() {
            self.mismatch.not_finite.push(key.into());
            return None;
        }
        Some(values)
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = self.path.key();
        let shape: Vec<usize> = param.lazy_shape().iter().copied().collect();
        let transposed = self.path.is_linear_weight();
        match self.values(&key, &shape, transposed) {
            Some(values) => {
                let (device, id) = (param.lazy_device(), param.id);
                let options = (&device, DType::from(self.dtype));
                param.transform_for_load(Tensor::from_data(values.into_data(shape), options), id)
            }
            None => param,
        }
    }
}
