use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

/// The tensors of one reference file, with a record of those that were asked for.
pub(crate) struct Golden {
    tensors: BTreeMap<String, (Vec<f64>, Vec<usize>)>,
    used: RefCell<BTreeSet<String>>,
}

impl Golden {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("`{}`", path.display()))?;
        let file = SafeTensors::deserialize(&bytes)
            .with_context(|| format!("`{}` is no safetensors file", path.display()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let data = view.data();
            let values: Vec<f64> = match view.dtype() {
                Dtype::F32 => chunks(data, |b| f64::from(f32::from_le_bytes(b))),
                Dtype::F64 => chunks(data, f64::from_le_bytes),
                Dtype::I64 => chunks(data, |b| i64::from_le_bytes(b) as f64),
                Dtype::U8 => data.iter().map(|value| f64::from(*value)).collect(),
                other => bail!("`{}`: `{name}` has the data type {other:?}", path.display()),
            };
            tensors.insert(name, (values, view.shape().to_vec()));
        }
        Ok(Self { tensors, used: RefCell::default() })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(crate) fn values(&self, name: &str) -> anyhow::Result<&[f64]> {
        Ok(&self.get(name)?.0)
    }

    /// Rows of a two-dimensional tensor.
    pub(crate) fn rows(&self, name: &str) -> anyhow::Result<Vec<Vec<f64>>> {
        let (values, shape) = self.get(name)?;
        let columns = *shape.last().context("a tensor without dimensions")?;
        Ok(values.chunks(columns.max(1)).map(<[f64]>::to_vec).collect())
    }

    pub(crate) fn tensor<const D: usize>(
        &self,
        name: &str,
        device: &Device,
    ) -> anyhow::Result<Tensor<D>> {
        let (values, shape) = self.get(name)?;
        if shape.len() != D {
            bail!("`{name}`: expected {D} dimensions, found {shape:?}");
        }
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let data = TensorData::new(values, shape.clone());
        Ok(Tensor::from_data(data, (device, DType::F32)))
    }

    /// The distinct `x` in names `prefix x suffix`.
    pub(crate) fn cases(&self, prefix: &str, suffix: &str) -> Vec<String> {
        self.tensors
            .keys()
            .filter_map(|name| name.strip_prefix(prefix)?.strip_suffix(suffix))
            .map(String::from)
            .collect()
    }

    /// Names nobody asked for.
    pub(crate) fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        self.tensors.keys().filter(|name| !used.contains(*name)).cloned().collect()
    }

    fn get(&self, name: &str) -> anyhow::Result<&(Vec<f64>, Vec<usize>)> {
        self.used.borrow_mut().insert(name.to_string());
        self.tensors.get(name).with_context(|| format!("no tensor `{name}`"))
    }
}

fn chunks<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.chunks_exact(N)
        .map(|chunk| {
            let mut bytes = [0; N];
            bytes.copy_from_slice(chunk);
            read(bytes)
        })
        .collect()
}

pub(crate) fn json(path: &Path) -> anyhow::Result<serde_json::Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    // Python writes numbers JSON does not have; nothing here needs them.
    let text = text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null");
    serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))
}
