//! Products of matrices with strides, through `gemm`.

/// A matrix in memory: where element `(row, column)` is, in elements from the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl Matrix {
    /// Rows one after the other.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self::strided(rows, columns, columns)
    }

    /// Rows `row_stride` apart.
    pub(crate) fn strided(rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { rows, columns, row_stride, column_stride: 1 }
    }

    /// The same memory read as the transposed matrix.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Elements from the first to the last, both included.
    fn span(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// `out = alpha · left · right`, or `out += …` where `accumulate`; single-threaded.
///
/// # Panics
/// Where the shapes do not fit each other or the slices.
pub(crate) fn matmul(
    (out, out_shape): (&mut [f32], Matrix),
    (left, left_shape): (&[f32], Matrix),
    (right, right_shape): (&[f32], Matrix),
    alpha: f32,
    accumulate: bool,
) {
    let (m, n, k) = (out_shape.rows, out_shape.columns, left_shape.columns);
    assert!(left_shape.rows == m && right_shape.columns == n && right_shape.rows == k);
    assert!(out.len() >= out_shape.span());
    assert!(left.len() >= left_shape.span() && right.len() >= right_shape.span());
    // SAFETY: all elements the shapes name lie within the slices, as asserted, and `out` is
    // borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_shape.column_stride as isize,
            out_shape.row_stride as isize,
            accumulate,
            left.as_ptr(),
            left_shape.column_stride as isize,
            left_shape.row_stride as isize,
            right.as_ptr(),
            right_shape.column_stride as isize,
            right_shape.row_stride as isize,
            if accumulate { 1.0 } else { 0.0 },
            alpha,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
