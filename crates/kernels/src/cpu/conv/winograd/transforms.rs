//! Winograd's minimal filtering in one dimension; applied to rows and columns it is that of two.
//!
//! Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016
//! (arXiv 1509.09308), Sec. 4.

use pulp::Simd;

/// F(m, 3): `m` outputs of a filter of 3 from `m + 2` inputs, with as many products.
pub(super) trait Filtering: Send + Sync {
    /// Outputs `m`.
    const OUTPUTS: usize;
    /// Inputs and products, `m + 2`.
    const POINTS: usize;

    /// `Bᵀ d`; the first [`Self::POINTS`] values.
    fn input<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6];
    /// `G g`; as many values.
    fn weights<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6];
    /// `Aᵀ m`; the first [`Self::OUTPUTS`] values.
    fn output<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4];
}

/// F(2, 3), at the points 0, 1, −1: 16 products instead of 36 for four outputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Two;

/// F(4, 3), at the points 0, ±√½, ±√2, which round less than 0, ±1, ±2 do: 36 products instead of 144 for sixteen outputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Four;

impl Filtering for Two {
    const OUTPUTS: usize = 2;
    const POINTS: usize = 4;

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d, ..]: [S::f32s; 6]) -> [S::f32s; 6] {
        let zero = simd.splat_f32s(0.0);
        let first = simd.sub_f32s(a, c);
        let middle = [simd.add_f32s(b, c), simd.sub_f32s(c, b)];
        [first, middle[0], middle[1], simd.sub_f32s(b, d), zero, zero]
    }

    #[inline(always)]
    fn weights<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 6] {
        let (zero, half) = (simd.splat_f32s(0.0), simd.splat_f32s(0.5));
        let ends = simd.mul_f32s(simd.add_f32s(a, c), half);
        let middle = simd.mul_f32s(b, half);
        [a, simd.add_f32s(ends, middle), simd.sub_f32s(ends, middle), c, zero, zero]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d, ..]: [S::f32s; 6]) -> [S::f32s; 4] {
        let zero = simd.splat_f32s(0.0);
        let first = simd.add_f32s(a, simd.add_f32s(b, c));
        [first, simd.sub_f32s(simd.sub_f32s(b, c), d), zero, zero]
    }
}

/// √2 and its half, two of the points of F(4, 3).
const POINT: f32 = std::f32::consts::SQRT_2;
const HALF_POINT: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// `factor · x + y`.
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y)
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), x)
}

/// `[x + y, x − y]`.
#[inline(always)]
fn both<S: Simd>(simd: S, x: S::f32s, y: S::f32s) -> [S::f32s; 2] {
    [simd.add_f32s(x, y), simd.sub_f32s(x, y)]
}

impl Filtering for Four {
    const OUTPUTS: usize = 4;
    const POINTS: usize = 6;

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let even = times(simd, -2.0, c, e);
        let odd = times(simd, HALF_POINT, d, scaled(simd, -POINT, b));
        let [near, near_minus] = both(simd, even, odd);
        let even = times(simd, -0.5, c, e);
        let odd = times(simd, POINT, d, scaled(simd, -HALF_POINT, b));
        let [far, far_minus] = both(simd, even, odd);
        let first = times(simd, -2.5, c, simd.add_f32s(a, e));
        let last = times(simd, -2.5, d, simd.add_f32s(b, f));
        [first, near, near_minus, far, far_minus, last]
    }

    #[inline(always)]
    fn weights<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 6] {
        let ends = times(simd, -2.0 / 3.0, a, scaled(simd, -1.0 / 3.0, c));
        let [near, near_minus] = both(simd, ends, scaled(simd, -POINT / 3.0, b));
        let ends = times(simd, 1.0 / 6.0, a, scaled(simd, 1.0 / 3.0, c));
        let [far, far_minus] = both(simd, ends, scaled(simd, POINT / 6.0, b));
        [a, near, near_minus, far, far_minus, c]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 4] {
        let [near, near_gap] = both(simd, b, c);
        let [far, far_gap] = both(simd, d, e);
        [
            simd.add_f32s(a, simd.add_f32s(near, far)),
            times(simd, POINT, far_gap, scaled(simd, HALF_POINT, near_gap)),
            times(simd, 2.0, far, scaled(simd, 0.5, near)),
            times(simd, 2.0 * POINT, far_gap, times(simd, 0.25 * POINT, near_gap, f)),
        ]
    }
}

/// `Bᵀ d B` of a square of [`Filtering::POINTS`] values a side.
#[inline(always)]
pub(super) fn input_square<S: Simd, F: Filtering>(
    simd: S,
    square: [[S::f32s; 6]; 6],
) -> [[S::f32s; 6]; 6] {
    let mut half = square;
    for column in 0..F::POINTS {
        let mut values = [simd.splat_f32s(0.0); 6];
        for row in 0..F::POINTS {
            values[row] = square[row][column];
        }
        let transformed = F::input(simd, values);
        for row in 0..F::POINTS {
            half[row][column] = transformed[row];
        }
    }
    for row in half.iter_mut().take(F::POINTS) {
        *row = F::input(simd, *row);
    }
    half
}
