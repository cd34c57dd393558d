use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::{Dtype, View};

use crate::WeightsError;
use crate::load::transpose;
use crate::name::KeyPath;

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
/// [`WeightsError::Io`] where it cannot be written, [`WeightsError::Mismatch`] where a value does
/// not fit the type (NaN, or beyond the range of f16).
pub fn save<M: Module>(module: &M, path: &Path, dtype: StoredDtype) -> Result<(), WeightsError> {
    save_with(module, path, dtype, &SaveOptions::default())
}

/// Where a file departs from the module it is made from.
#[derive(Debug, Clone, Default)]
pub struct SaveOptions {
    /// Module's and file's spelling of a part of a name, applied in this order.
    pub rename: Vec<(String, String)>,
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
    let mut collector =
        Collector { path: KeyPath::default(), dtype, tensors: BTreeMap::new(), bad: Vec::new() };
    module.visit(&mut collector);
    for (module, file) in &options.rename {
        let tensors = std::mem::take(&mut collector.tensors).into_iter();
        collector.tensors =
            tensors.map(|(name, tensor)| (name.replace(module.as_str(), file), tensor)).collect();
    }
    for name in &options.scalars {
        if let Some(tensor) = collector.tensors.get_mut(name) {
            tensor.shape.clear();
        }
    }
    if !collector.bad.is_empty() {
        let mismatch = crate::error::Mismatch { not_finite: collector.bad, ..Default::default() };
        return Err(WeightsError::Mismatch { path: path.into(), mismatch: Box::new(mismatch) });
    }
    let io = |source| WeightsError::Io { path: path.to_path_buf(), source };
    let metadata = std::collections::HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = safetensors::serialize(collector.tensors, Some(metadata)).map_err(|error| {
        WeightsError::Format { path: path.to_path_buf(), reason: error.to_string() }
    })?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    std::io::Write::write_all(&mut file, &bytes).map_err(io)?;
    make_readable(&file).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Temporary files are private by default; a checkpoint is not.
pub(crate) fn make_readable(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
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

struct Collector {
    path: KeyPath,
    dtype: StoredDtype,
    tensors: BTreeMap<String, Stored>,
    bad: Vec<String>,
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
        let mut values: Vec<f32> = data.iter::<f32>().collect();
        if self.path.is_linear_weight() {
            values = transpose(&values, shape[0], shape[1]);
            shape.reverse();
        }
        let narrowed = |value: f32| match self.dtype {
            StoredDtype::F32 => value,
            StoredDtype::F16 => half::f16::from_f32(value).to_f32(),
        };
        if !values.iter().all(|value| narrowed(*value).is_finite()) {
            self.bad.push(self.path.key());
        }
        let (dtype, bytes) = match self.dtype {
            StoredDtype::F32 => (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            StoredDtype::F16 => (
                Dtype::F16,
                values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
            ),
        };
        self.tensors.insert(self.path.key(), Stored { dtype, shape, bytes });
    }
}
