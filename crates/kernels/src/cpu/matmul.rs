//! Products of matrices with strides, through `gemm`.

use super::disjoint::DisjointOut;

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

/// Where a product goes: rows `stride` apart in a shared output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) out: DisjointOut<'a>,
    pub(crate) first: usize,
    pub(crate) shape: Matrix,
}

/// `out = alpha · left · right`, or `out += …` where `accumulate`; single-threaded.
///
/// # Panics
/// Where the shapes do not fit each other or the slices.
pub(crate) fn matmul(
    (out, shape): (&mut [f32], Matrix),
    left: (&[f32], Matrix),
    right: (&[f32], Matrix),
    alpha: f32,
    accumulate: bool,
) {
    let place = Place { out: DisjointOut::new(out), first: 0, shape };
    // SAFETY: nobody else has the output.
    unsafe { matmul_into(place, left, right, alpha, accumulate) };
}

/// [`matmul`] into a part of an output that other tasks write other parts of.
///
/// # Panics
/// As [`matmul`].
///
/// # Safety
/// No other task may write or read an element of `place` meanwhile.
pub(crate) unsafe fn matmul_into(
    place: Place<'_>,
    (left, left_shape): (&[f32], Matrix),
    (right, right_shape): (&[f32], Matrix),
    alpha: f32,
    accumulate: bool,
) {
    let out_shape = place.shape;
    let (m, n, k) = (out_shape.rows, out_shape.columns, left_shape.columns);
    assert!(left_shape.rows == m && right_shape.columns == n && right_shape.rows == k);
    let out = place.out.start(place.first, out_shape.span());
    assert!(left.len() >= left_shape.span() && right.len() >= right_shape.span());
    // SAFETY: all elements the shapes name lie within the slices and the output, as asserted; the
    // output is borrowed mutably, so it overlaps neither operand, and its elements that the shape
    // names are this call's alone, as the caller promises.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
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
