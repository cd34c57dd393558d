use std::ops::Range;

use pytorch_reader::DType;
use safetensors::{Dtype, tensor::TensorView};

/// One tensor of a weights file.
#[derive(Debug)]
pub enum StoredTensor<'a> {
    /// In a memory-mapped safetensors file.
    Mapped(TensorView<'a>),
    /// In a PyTorch checkpoint.
    Torch(&'a pytorch_reader::Tensor),
    /// Computed from others.
    Owned {
        /// Its shape.
        shape: Vec<usize>,
        /// Its values, row by row.
        values: Vec<f32>,
    },
}

/// The float types weights are stored in.
enum Float {
    F16,
    BF16,
    F32,
    F64,
}

impl<'a> StoredTensor<'a> {
    /// The rows `rows` of its first dimension; `None` where it has no such rows, or a type other
    /// than f16, bf16, f32 and f64. Memory-mapped tensors are not copied.
    ///
    /// # Errors
    /// Where the file breaks off or cannot be read.
    pub fn rows(&self, rows: Range<usize>) -> std::io::Result<Option<StoredTensor<'a>>> {
        let Some(&first) = self.shape().first().filter(|first| rows.end <= **first) else {
            return Ok(None);
        };
        let mut shape = self.shape().to_vec();
        shape[0] = rows.len();
        let part = |length: usize| length / first * rows.start..length / first * rows.end;
        if let Self::Mapped(view) = self {
            let data = &view.data()[part(view.data().len())];
            return Ok(TensorView::new(view.dtype(), shape, data).ok().map(Self::Mapped));
        }
        let values = self.to_f32()?.map(|values| values[part(values.len())].to_vec());
        Ok(values.map(|values| StoredTensor::Owned { shape, values }))
    }

    /// A matrix with rows and columns exchanged; `None` for anything else.
    ///
    /// # Errors
    /// Where the file breaks off or cannot be read.
    pub fn transposed(&self) -> std::io::Result<Option<StoredTensor<'a>>> {
        let [rows, columns] = *self.shape() else { return Ok(None) };
        let values = self.to_f32()?.map(|values| crate::load::transpose(&values, rows, columns));
        Ok(values.map(|values| StoredTensor::Owned { shape: vec![columns, rows], values }))
    }

    /// Its shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Mapped(view) => view.shape(),
            Self::Torch(tensor) => tensor.shape(),
            Self::Owned { shape, .. } => shape,
        }
    }

    /// Name of its data type, such as `F16`.
    pub fn dtype(&self) -> String {
        match self {
            Self::Mapped(view) => format!("{:?}", view.dtype()),
            Self::Torch(tensor) => format!("{:?}", tensor.dtype()),
            Self::Owned { .. } => "F32".into(),
        }
    }

    /// Its values as f32, row by row; `None` for a type other than f16, bf16, f32 and f64.
    ///
    /// # Errors
    /// Where the file breaks off or cannot be read.
    pub fn to_f32(&self) -> std::io::Result<Option<Vec<f32>>> {
        let Some(float) = self.float() else { return Ok(None) };
        Ok(Some(match self {
            Self::Mapped(view) => float.decode(view.data()),
            Self::Torch(tensor) => float.decode(&tensor.read()?),
            Self::Owned { values, .. } => values.clone(),
        }))
    }

    fn float(&self) -> Option<Float> {
        match self {
            Self::Mapped(view) => match view.dtype() {
                Dtype::F16 => Some(Float::F16),
                Dtype::BF16 => Some(Float::BF16),
                Dtype::F32 => Some(Float::F32),
                Dtype::F64 => Some(Float::F64),
                _ => None,
            },
            Self::Torch(tensor) => match tensor.dtype() {
                DType::F16 => Some(Float::F16),
                DType::BF16 => Some(Float::BF16),
                DType::F32 => Some(Float::F32),
                DType::F64 => Some(Float::F64),
                _ => None,
            },
            Self::Owned { .. } => Some(Float::F32),
        }
    }
}

impl Float {
    fn decode(&self, data: &[u8]) -> Vec<f32> {
        let halves = |read: fn([u8; 2]) -> f32| {
            data.chunks_exact(2).map(|bytes| read([bytes[0], bytes[1]])).collect()
        };
        match self {
            Self::F16 => halves(|bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Self::BF16 => halves(|bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            Self::F32 => bytemuck::pod_collect_to_vec(data),
            Self::F64 => bytemuck::pod_collect_to_vec::<u8, f64>(data)
                .into_iter()
                .map(|v| v as f32)
                .collect(),
        }
    }
}
