//! One tensor of a weights file, read when its values are asked for.

use std::io;
use std::sync::Arc;

use pytorch_reader::DType;

use crate::addition::Sum;
use crate::safetensors_file::FileTensor;
use crate::values::{Float, Values};

/// One tensor of a weights file.
#[derive(Debug, Clone)]
pub enum StoredTensor<'a> {
    /// In a safetensors file.
    Safetensors(FileTensor<'a>),
    /// In a PyTorch checkpoint.
    Torch(&'a pytorch_reader::Tensor),
    /// Computed from others.
    Owned {
        /// Its shape.
        shape: Vec<usize>,
        /// Its values, row by row.
        values: Vec<f32>,
    },
    /// Another one in another form.
    View(View<'a>),
    /// Another one and what is added to it.
    Sum(Sum<'a>),
}

/// A tensor in another form; its values are read and converted when asked for.
#[derive(Debug, Clone)]
pub struct View<'a> {
    of: Arc<StoredTensor<'a>>,
    shape: Vec<usize>,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// Rows from this one on.
    Rows(usize),
    /// A matrix with rows and columns exchanged.
    Transposed,
}

impl<'a> StoredTensor<'a> {
    /// Its rows in `count` equal parts, `None` where they cannot be shared out so.
    pub(crate) fn cut(self, count: usize) -> Option<Vec<Self>> {
        let rows = self.shape().first().filter(|rows| **rows > 0)?.checked_div(count)?;
        if rows * count != self.shape()[0] {
            return None;
        }
        let mut shape = self.shape().to_vec();
        shape[0] = rows;
        let of = Arc::new(self);
        let part =
            |index| View { of: of.clone(), shape: shape.clone(), form: Form::Rows(index * rows) };
        Some((0..count).map(|index| Self::View(part(index))).collect())
    }

    /// A matrix with rows and columns exchanged; `None` for anything else.
    pub(crate) fn transposed(self) -> Option<Self> {
        let [rows, columns] = *self.shape() else { return None };
        let (of, shape) = (Arc::new(self), vec![columns, rows]);
        Some(Self::View(View { of, shape, form: Form::Transposed }))
    }

    /// Its shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Safetensors(tensor) => tensor.shape(),
            Self::Torch(tensor) => tensor.shape(),
            Self::Owned { shape, .. } => shape,
            Self::View(view) => &view.shape,
            Self::Sum(sum) => sum.of.shape(),
        }
    }

    /// Name of its data type, such as `F16`.
    pub fn dtype(&self) -> String {
        match self {
            Self::Safetensors(tensor) => format!("{:?}", tensor.dtype()),
            Self::Torch(tensor) => format!("{:?}", tensor.dtype()),
            Self::Owned { .. } => "F32".into(),
            Self::View(view) => view.of.dtype(),
            Self::Sum(sum) => sum.of.dtype(),
        }
    }

    /// Its values as f32, row by row; `None` for a type other than f16, bf16, f32 and f64.
    ///
    /// # Errors
    /// Where the file breaks off or cannot be read.
    pub fn to_f32(&self) -> io::Result<Option<Vec<f32>>> {
        Ok(self.values()?.map(Values::into_f32))
    }

    /// Its values in the type they are stored in; `None` as for [`Self::to_f32`].
    pub(crate) fn values(&self) -> io::Result<Option<Values>> {
        match self {
            Self::Safetensors(tensor) => {
                let Some(float) = tensor.float() else { return Ok(None) };
                tensor.read(float).map(Some)
            }
            Self::Torch(tensor) => {
                let float = match tensor.dtype() {
                    DType::F16 => Float::F16,
                    DType::BF16 => Float::BF16,
                    DType::F32 => Float::F32,
                    DType::F64 => Float::F64,
                    _ => return Ok(None),
                };
                Ok(Some(Values::decode(float, &tensor.read()?)))
            }
            Self::Owned { values, .. } => Ok(Some(Values::F32(values.clone()))),
            Self::View(view) => Ok(view.of.values()?.map(|values| match view.form {
                Form::Rows(first) => {
                    let row: usize = view.shape[1..].iter().product();
                    values.part(first * row, view.shape[0] * row)
                }
                Form::Transposed => values.transposed(view.shape[1], view.shape[0]),
            })),
            Self::Sum(sum) => sum.values(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StoredTensor;

    #[test]
    fn rows_that_cannot_be_shared_out_are_refused() {
        let tensor = |shape: &[usize]| StoredTensor::Owned {
            shape: shape.to_vec(),
            values: vec![0.0; shape.iter().product()],
        };
        for (shape, count) in [(&[4, 2][..], 3), (&[0, 3], 3), (&[], 3), (&[3, 0], 0)] {
            assert!(tensor(shape).cut(count).is_none(), "{shape:?} in {count}");
        }
        let parts = tensor(&[3, 0]).cut(3).unwrap();
        assert_eq!(parts[2].shape(), [1, 0]);
        assert_eq!(parts[2].to_f32().unwrap().unwrap(), [0f32; 0]);
    }
}
