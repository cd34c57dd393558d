//! The tensors of a reference file, with a record of those that were asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

/// The tensors of one reference file, with a record of those that were asked for.
pub(crate) struct Golden {
    /// The file, for messages.
    place: String,
    tensors: BTreeMap<String, (Vec<f64>, Vec<usize>)>,
    used: RefCell<BTreeSet<String>>,
}

impl Golden {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let place = format!("`{}`", path.display());
        let bytes = std::fs::read(path).with_context(|| place.clone())?;
        let file = SafeTensors::deserialize(&bytes)
            .with_context(|| format!("{place} is no safetensors file"))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let data = view.data();
            let values: Vec<f64> = match view.dtype() {
                Dtype::F32 => chunks(data, |b| f64::from(f32::from_le_bytes(b))),
                Dtype::F64 => chunks(data, f64::from_le_bytes),
                Dtype::I64 => chunks(data, |b| i64::from_le_bytes(b) as f64),
                Dtype::U8 => data.iter().map(|value| f64::from(*value)).collect(),
                other => bail!("{place}: `{name}` has the data type {other:?}"),
            };
            tensors.insert(name, (values, view.shape().to_vec()));
        }
        Ok(Self { place, tensors, used: RefCell::default() })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(crate) fn values(&self, name: &str) -> anyhow::Result<&[f64]> {
        Ok(&self.get(name)?.0)
    }

    /// The values in rows as long as the last dimension.
    pub(crate) fn rows(&self, name: &str) -> anyhow::Result<Vec<Vec<f64>>> {
        let (values, shape) = self.get(name)?;
        let columns = shape.last().ok_or_else(|| {
            anyhow!("{}: `{name}`: expected rows, found a single number", self.place)
        })?;
        Ok(values.chunks(*columns.max(&1)).map(<[f64]>::to_vec).collect())
    }

    /// Rows of token ids, each below `vocabulary`.
    pub(crate) fn ids(&self, name: &str, vocabulary: usize) -> anyhow::Result<Vec<Vec<u32>>> {
        let rows = self.rows(name)?;
        if let Some(id) = rows.iter().flatten().find(|id| !(0.0..vocabulary as f64).contains(*id)) {
            bail!("{}: `{name}`: expected ids below {vocabulary}, found {id}", self.place);
        }
        Ok(rows.iter().map(|row| row.iter().map(|id| *id as u32).collect()).collect())
    }

    /// The tensor `name`, whose dimensions must be those of `shape` where that says one.
    pub(crate) fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [Option<usize>; D],
        device: &Device,
    ) -> anyhow::Result<Tensor<D>> {
        let (values, dims) = self.get(name)?;
        let fits = |(want, dim): (&Option<usize>, &usize)| want.is_none_or(|want| want == *dim);
        if dims.len() != D || !shape.iter().zip(dims).all(fits) || values.is_empty() {
            let side = |want: &Option<usize>| want.map_or("any".into(), |want| want.to_string());
            let shape = shape.iter().map(side).collect::<Vec<String>>().join(", ");
            bail!("{}: `{name}`: expected the shape [{shape}], found {dims:?}", self.place);
        }
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let data = TensorData::new(values, dims.clone());
        Ok(Tensor::from_data(data, (device, DType::F32)))
    }

    /// The `x` of names `prefix x suffix`.
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
        self.tensors.get(name).ok_or_else(|| anyhow!("{}: no tensor `{name}`", self.place))
    }
}

fn chunks<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.as_chunks().0.iter().map(|chunk| read(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;

    use super::*;

    #[test]
    fn tensor_of_another_shape_and_ids_out_of_range_are_errors_that_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.safetensors");
        let bytes: Vec<u8> = [1i64, 2, 3, 70].iter().flat_map(|id| id.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::I64, vec![2, 2], &bytes).unwrap();
        std::fs::write(&path, safetensors::serialize([("ids", view)], None).unwrap()).unwrap();
        let golden = Golden::open(&path).unwrap();
        assert_eq!(golden.unused(), ["ids"]);
        assert_eq!(golden.ids("ids", 71).unwrap(), [[1, 2], [3, 70]]);
        assert!(golden.unused().is_empty());
        let device = Device::flex();
        for error in [
            golden.ids("ids", 70).unwrap_err(),
            golden.tensor("ids", [Some(3), None], &device).unwrap_err(),
            golden.tensor("ids", [None], &device).unwrap_err(),
            golden.values("other").unwrap_err(),
        ] {
            assert!(error.to_string().contains("golden.safetensors"), "{error}");
        }
    }
}
