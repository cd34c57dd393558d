use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

use crate::error::Mismatch;
use crate::name::KeyPath;
use crate::{StoredTensor, WeightsError, WeightsFile};

/// How a file is fitted to a module.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Data type of the loaded parameters.
    pub dtype: FloatDType,
    /// Tensors of the file that are passed over: exact names, without the prefix.
    pub ignore: Vec<String>,
    /// File's and module's spelling of a part of a name, applied in this order.
    pub rename: Vec<(String, String)>,
    /// Only tensors whose name begins so are read, and the prefix is taken off.
    pub prefix: String,
}

impl LoadOptions {
    /// Parameters of type `dtype`; every tensor of the file must be used.
    pub fn new(dtype: FloatDType) -> Self {
        Self { dtype, ignore: Vec::new(), rename: Vec::new(), prefix: String::new() }
    }
}

/// Fills `module` from `file`, one tensor at a time, converting to `options.dtype`.
///
/// Parameters that were never materialised stay so until their tensor arrives: neither the random
/// initialisation nor a second copy of the model is ever held.
///
/// # Errors
/// [`WeightsError::Mismatch`] lists *all* missing, unexpected, wrongly shaped, wrongly typed and
/// non-finite tensors at once.
pub fn load<M: Module>(
    module: M,
    file: &WeightsFile,
    options: &LoadOptions,
) -> Result<M, WeightsError> {
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors()? {
        let Some(name) = name.strip_prefix(&options.prefix) else { continue };
        if options.ignore.iter().any(|ignored| ignored == name) {
            continue;
        }
        let mut name = name.to_string();
        for (old, new) in &options.rename {
            name = name.replace(old.as_str(), new);
        }
        tensors.insert(name, view);
    }
    load_tensors(module, tensors, file.path(), options.dtype)
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
        return Err(WeightsError::Io { path: path.to_path_buf(), source });
    }
    loader.mismatch.unexpected = loader.unused.into_iter().collect();
    if loader.mismatch.is_empty() {
        Ok(module)
    } else {
        Err(WeightsError::Mismatch {
            path: path.to_path_buf(),
            mismatch: Box::new(loader.mismatch),
        })
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
    fn values(&mut self, key: &str, shape: &[usize], transposed: bool) -> Option<Vec<f32>> {
        self.unused.remove(key);
        let Some(view) = self.tensors.get(key) else {
            self.mismatch.missing.push(key.to_string());
            return None;
        };
        let stored: Vec<usize> =
            if transposed { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        // A 1×1 convolution is the same map as a linear layer.
        let found = match view.shape() {
            // burn has no tensors without dimensions.
            [] => vec![1],
            [out, inner, 1, 1] if transposed => vec![*out, *inner],
            other => other.to_vec(),
        };
        if found != stored {
            self.mismatch.wrong_shape.push((key.into(), stored, view.shape().to_vec()));
            return None;
        }
        let values = match view.to_f32() {
            Ok(Some(values)) => values,
            Ok(None) => {
                self.mismatch.wrong_dtype.push((key.into(), view.dtype()));
                return None;
            }
            Err(error) => {
                self.unreadable.get_or_insert(error);
                return None;
            }
        };
        if !values.iter().all(|value| value.is_finite()) {
            self.mismatch.not_finite.push(key.into());
            return None;
        }
        Some(if transposed { transpose(&values, stored[0], stored[1]) } else { values })
    }
}

/// `[rows, columns]` to `[columns, rows]`, in tiles so that both sides stay in the cache.
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0.0; values.len()];
    for row0 in (0..rows).step_by(TILE) {
        for column0 in (0..columns).step_by(TILE) {
            for row in row0..(row0 + TILE).min(rows) {
                for column in column0..(column0 + TILE).min(columns) {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}

fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: Vec<usize>,
    dtype: FloatDType,
    device: &Device,
) -> Tensor<D> {
    let dtype = DType::from(dtype);
    // Narrowed here already, so that a half-precision device never sees the f32 copy.
    let data = match dtype {
        DType::F16 => {
            TensorData::new(values.into_iter().map(half::f16::from_f32).collect::<Vec<_>>(), shape)
        }
        DType::BF16 => {
            TensorData::new(values.into_iter().map(half::bf16::from_f32).collect::<Vec<_>>(), shape)
        }
        _ => TensorData::new(values, shape),
    };
    Tensor::from_data(data, (device, dtype))
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
                let device = param.lazy_device();
                let id = param.id;
                param.transform_for_load(tensor(values, shape, self.dtype, &device), id)
            }
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn transpose_odd_sizes_round_trips() {
        let values: Vec<f32> = (0..35 * 67).map(|i| i as f32).collect();
        assert_eq!(transpose(&transpose(&values, 35, 67), 67, 35), values);
        assert_eq!(transpose(&[1., 2., 3., 4., 5., 6.], 2, 3), [1., 4., 2., 5., 3., 6.]);
    }
}
