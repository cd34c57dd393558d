//! Noise and latents in safetensors files, to compare runs or to go on from elsewhere.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use weights::WeightsFile;

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

/// Checks by the header alone that a file has the tensor `name` in this shape.
///
/// # Errors
/// As [`read_latents`], but for values.
pub(crate) fn check_latents(
    path: &Path,
    name: &str,
    shape: [usize; 4],
) -> Result<(), PipelineError> {
    let wrong = |reason: String| PipelineError::LatentsFile { path: path.into(), reason };
    let file = WeightsFile::open(path)?;
    let tensors = file.tensors();
    match tensors.iter().find(|(found, _)| *found == name) {
        Some((_, tensor)) => check_shape(name, tensor.shape(), shape).map_err(wrong),
        None => Err(wrong(missing(name, tensors.keys().map(String::as_str)))),
    }
}

fn check_shape(name: &str, found: &[usize], expected: [usize; 4]) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("expected `{name}` of {expected:?}, found {found:?}")),
    }
}

fn missing<'a>(name: &str, found: impl Iterator<Item = &'a str>) -> String {
    let found: Vec<&str> = found.take(8).collect();
    format!("expected a tensor `{name}`, found `{}`", found.join("`, `"))
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
    check_latents(path, name, shape)?;
    let bytes = files::read(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let view = file.tensor(name).map_err(|_| wrong(missing(name, file.names().into_iter())))?;
    check_shape(name, view.shape(), shape).map_err(wrong)?;
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
    use serde_json::json;

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

    #[test]
    fn check_latents_refuses_a_large_file_of_another_shape_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.safetensors");
        let count: u64 = 1 << 34;
        let info =
            json!({"dtype": "F32", "shape": [1, 1, 1, count], "data_offsets": [0, 4 * count]});
        let header = json!({"noise": info}).to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        std::fs::write(&path, &bytes).unwrap();
        // Nothing but zeros that take no space.
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(bytes.len() as u64 + 4 * count).unwrap();
        let error = check_latents(&path, "noise", [1, 4, 16, 16]).unwrap_err().to_string();
        assert!(error.contains("[1, 4, 16, 16]") && error.contains("1.safetensors"), "{error}");
    }
}
