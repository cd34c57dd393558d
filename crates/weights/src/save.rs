//! Modules written as safetensors files.

use std::path::Path;

use burn::module::Module;

use crate::{Collected, KeyMap, WeightsError};

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
    /// The names under which the file is read.
    pub names: KeyMap,
    /// Names, as in the file, of tensors of one value that are stored without dimensions.
    pub scalars: Vec<String>,
}

/// As [`save`], with `options`.
///
/// # Errors
/// As [`save`]; [`WeightsError::Incomplete`] where a tensor of the file cannot be put together.
pub fn save_with<M: Module>(
    module: &M,
    path: &Path,
    dtype: StoredDtype,
    options: &SaveOptions,
) -> Result<(), WeightsError> {
    let mut collected = Collected::of(module, dtype).restored(&options.names)?;
    for name in &options.scalars {
        if let Some(shape) = collected.shape_mut(name) {
            shape.clear();
        }
    }
    collected.write(path, &[("format", "pt")])
}
