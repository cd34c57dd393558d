//! Noise and latents in safetensors files, to compare runs or to go on from elsewhere.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::PipelineError;

/// Writes tensors under their names, in f32.
///
/// # Errors
/// [`PipelineError::File`] where the file cannot be written.
pub fn write_latents(path: &Path, tensors: &[(&str, &Tensor<4>)]) -> Result<(), PipelineError> {
    let bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let values = (*tensor).clone().cast(DType::F32).into_data();
            let bytes = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
            (*name, tensor.dims().to_vec(), bytes)
        })
        .collect();
    let broken = |error: safetensors::SafeTensorError| PipelineError::LatentsFile {
        path: path.into(),
        reason: error.to_string(),
    };
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    let bytes = serialize(views, None).map_err(broken)?;
    Ok(files::write_atomically(path, bytes)?)
}

/// Reads the tensor `name` of a file; it must have the shape `[batch, channels, height, width]`
/// given, and finite values in f32, f16 or bf16.
///
/// # Errors
/// [`PipelineError`] naming the file and what was expected.
pub fn read_latents(
    path: &Path,
    name: &str,
    shape: [usize; 4],
    device: &Device,
) -> Result<Tensor<4>, PipelineError> {
    let wrong = |reason: String| PipelineError::LatentsFile { path: path.into(), reason };
    let bytes = files::read(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let view = file.tensor(name).map_err(|_| {
        let names: Vec<&str> = file.names().into_iter().take(8).collect();
        wrong(format!("expected a tensor `{name}`, found `{}`", names.join("`, `")))
    })?;
    if view.shape() != shape {
        return Err(wrong(format!("expected `{name}` of {shape:?}, found {:?}", view.shape())));
    }
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => return Err(wrong(format!("expected F32, F16 or BF16, found {other:?}"))),
    };
    let data = TensorData::from_bytes_vec(view.data().to_vec(), shape, dtype);
    let values: Vec<f32> = data.iter::<f32>().collect();
    if !values.iter().all(|value| value.is_finite()) {
        return Err(wrong(format!("`{name}` has values that are not finite")));
    }
    Ok(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn read_latents_gives_what_was_written_and_names_what_is_wrong() {
        let (folder, device) = (tempfile::tempdir().unwrap(), Device::flex());
        let path = folder.path().join("new/1.safetensors");
        let noise = Tensor::<4>::random([2, 4, 3, 5], Distribution::Default, &device);
        write_latents(&path, &[("noise", &noise)]).unwrap();
        let read = |name: &str, shape| read_latents(&path, name, shape, &device);
        assert_eq!(read("noise", [2, 4, 3, 5]).unwrap().into_data(), noise.into_data());
        let error = read("noise", [1, 4, 3, 5]).unwrap_err().to_string();
        assert!(error.contains("[2, 4, 3, 5]") && error.contains("1.safetensors"), "{error}");
        let error = read("latents", [2, 4, 3, 5]).unwrap_err().to_string();
        assert!(error.contains("found `noise`"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(read("noise", [2, 4, 3, 5]).is_err());
    }
}
