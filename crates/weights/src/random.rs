//! Files of the right names, shapes and types with random values, for tests and measurements.

use std::io::{BufWriter, Write};
use std::path::Path;

use files::{AtomicFile, FileError};
use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Map, json};

use crate::{Outline, WeightsError};

/// Largest file that is written: above what any file system holds, far below an overflow.
const MAX_BYTES: usize = 1 << 60;

/// Writes a safetensors file with the tensors of `outline`, tensor by tensor: norms are the
/// identity, biases 0, weights uniform with variance `1 / inputs`, the same for the same seed.
///
/// # Errors
/// [`WeightsError::File`] where it cannot be written, [`WeightsError::Format`] for a type other than
/// F16, BF16 and F32, and for sizes beyond any file.
pub fn write_random(
    path: &Path,
    outline: &[Outline],
    dtype: Dtype,
    seed: u64,
) -> Result<(), WeightsError> {
    let broken = |reason| WeightsError::Format { path: path.to_path_buf(), reason };
    let width = match dtype {
        Dtype::F16 | Dtype::BF16 => 2,
        Dtype::F32 => 4,
        other => {
            return Err(broken(format!("expected F16, BF16 or F32, found {other:?}")));
        }
    };
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut offset = 0usize;
    for tensor in outline {
        let end = tensor.len().checked_mul(width).and_then(|length| offset.checked_add(length));
        let end = end.filter(|end| *end <= MAX_BYTES).ok_or_else(|| {
            broken(format!("`{}` of shape {:?} is too large", tensor.name, tensor.shape))
        })?;
        let entry = json!({
            "dtype": format!("{dtype:?}"), "shape": tensor.shape, "data_offsets": [offset, end],
        });
        header.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::Value::Object(header).to_string();
    // Values begin at a multiple of 8.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let io = |error| WeightsError::from(FileError::at(path)(error));
    let mut out = BufWriter::with_capacity(1 << 20, AtomicFile::create(path)?);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    out.write_all(header.as_bytes()).map_err(io)?;
    for (index, tensor) in outline.iter().enumerate() {
        let mut draws = Draws::new(tensor, seed.wrapping_add(index as u64));
        for _ in 0..tensor.len() {
            let value = draws.next();
            match dtype {
                Dtype::F16 => out.write_all(&f16::from_f32(value).to_le_bytes()),
                Dtype::BF16 => out.write_all(&bf16::from_f32(value).to_le_bytes()),
                _ => out.write_all(&value.to_le_bytes()),
            }
            .map_err(io)?;
        }
    }
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    Ok(file.commit()?)
}

/// The values of one tensor.
struct Draws {
    state: u64,
    constant: Option<f32>,
    bound: f32,
}

impl Draws {
    fn new(tensor: &Outline, seed: u64) -> Self {
        let inputs: usize = tensor.shape.iter().skip(1).product();
        let table = tensor.name.contains("embedding") && tensor.shape.len() == 2;
        let constant = match (tensor.shape.len(), tensor.name.ends_with("bias")) {
            (_, true) => Some(0.0),
            (0 | 1, false) => Some(1.0),
            _ => None,
        };
        let deviation = if table { 0.02 } else { (inputs.max(1) as f32).powf(-0.5) };
        // A uniform value's deviation is its bound over √3.
        Self { state: seed, constant, bound: deviation * 3f32.sqrt() }
    }

    /// SplitMix64 (Steele et al.).
    fn next(&mut self) -> f32 {
        if let Some(constant) = self.constant {
            return constant;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * self.bound
    }
}
