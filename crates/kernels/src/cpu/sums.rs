//! Sums over many values, in vectors.

use pulp::{Simd, WithSimd};

use super::simd::{dispatch, lanes, load};

/// A sum in f64 over eight lanes, which the compiler turns into vectors.
#[inline(always)]
pub(crate) fn sum(x: &[f32], map: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|x| map(f64::from(*x))).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += map(f64::from(*x));
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `Σ xᵢ yᵢ` over the values that both have.
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    dispatch(Dot { x, y })
}

struct Dot<'a> {
    x: &'a [f32],
    y: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (x, y) = (self.x.chunks_exact(lanes::<S>()), self.y.chunks_exact(lanes::<S>()));
        let rest: f32 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
        let mut total = simd.splat_f32s(0.0);
        for (x, y) in x.zip(y) {
            total = simd.mul_add_e_f32s(load::<S>(x), load::<S>(y), total);
        }
        simd.reduce_sum_f32s(total) + rest
    }
}
