//! Matrices in f64, and their products by burn's kernels.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl Matrix {
    /// `A Bᵀ` of two matrices with equally long rows.
    pub(super) fn times_transposed(&self, other: &Self) -> Self {
        Self::of(self.rows, other.rows, || self.tensor().matmul(other.tensor().transpose()))
    }

    /// `Aᵀ A`.
    pub(super) fn gram(&self) -> Self {
        let product = || self.tensor().transpose().matmul(self.tensor());
        Self::of(self.columns, self.columns, product)
    }

    /// The sum of all squares.
    pub(super) fn squared_norm(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum()
    }

    /// The same matrix with rows for columns.
    pub(super) fn transposed(&self) -> Self {
        let values = (0..self.columns)
            .flat_map(|column| self.values.iter().skip(column).step_by(self.columns))
            .copied()
            .collect();
        Self { rows: self.columns, columns: self.rows, values }
    }

    fn tensor(&self) -> Tensor<2> {
        let data = TensorData::new(self.values.clone(), [self.rows, self.columns]);
        Tensor::from_data(data, (&Device::flex(), DType::F64))
    }

    fn of(rows: usize, columns: usize, product: impl FnOnce() -> Tensor<2>) -> Self {
        let values = match rows * columns {
            0 => Vec::new(),
            _ => product().into_data().iter::<f64>().collect(),
        };
        Self { rows, columns, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_in_f64() {
        let tiny = 2f64.powi(-40);
        let a = Matrix { rows: 2, columns: 3, values: vec![1.0 + tiny, 2.0, 3.0, 0.0, 1.0, -1.0] };
        let b = Matrix { rows: 1, columns: 3, values: vec![1.0, 10.0, 100.0] };
        assert_eq!(a.times_transposed(&b).values, [321.0 + tiny, -90.0]);
        let gram = a.gram();
        assert_eq!((gram.rows, gram.values[4], gram.values[5]), (3, 5.0, 5.0));
        assert_eq!(a.transposed().values, [1.0 + tiny, 0.0, 2.0, 1.0, 3.0, -1.0]);
        assert_eq!(b.squared_norm(), 10101.0);
        let none = Matrix { rows: 0, columns: 3, values: Vec::new() };
        assert!(none.times_transposed(&a).values.is_empty());
    }
}
