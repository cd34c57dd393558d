//! Activations of f32 slices and their derivatives, in a form the compiler turns into vectors.

use std::mem::MaybeUninit;

use multiversion::multiversion;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::disjoint::Unwritten;
use super::simd::{dispatch, exp as vector_exp, lanes, load, store};

/// Elements a task of an element-wise kernel takes.
const CHUNK: usize = 1 << 14;

/// `eˣ` without a branch, so that it is vectorised; relative error below 8e-8 (measured).
///
/// Source: the polynomial and the two parts of ln 2 are those of `expf` in S. L. Moshier's Cephes
/// Mathematical Library (`single/expf.c`, release 2.2, 1992); its method is the usual one, see
/// W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980, chapter 6.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    // ln 2 in two parts, the first exact in f32.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_65;
    let p = p * r + 0.5;
    let power = f32::from_bits(((n as i32 + 127) << 23) as u32);
    (p * r * r + r + 1.0) * power
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function; absolute error below 3.4e-7 (measured).
///
/// Source: the rational approximation of degrees 9 and 12, and the bound beyond which the result is ±1 in
/// f32, are those of `generic_fast_erf_float` in Eigen 3.4
/// (`unsupported/Eigen/src/SpecialFunctions/SpecialFunctionsImpl.h`).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-3.832_507, 3.832_507);
    let s = x * x;
    let p = 2.290_506_6e-4;
    let p = p * s + 3.408_291e-3;
    let p = p * s + 5.095_569_5e-2;
    let p = p * s + 0.185_208_33;
    let p = p * s + std::f32::consts::FRAC_2_SQRT_PI;
    let q = -1.179_160_3e-7;
    let q = q * s + 2.354_796_6e-5;
    let q = q * s + 1.017_962_5e-3;
    let q = q * s + 1.407_047e-2;
    let q = q * s + 0.110_985_05;
    let q = q * s + 0.497_469_26;
    let q = q * s + 1.0;
    (x * p / q).clamp(-1.0, 1.0)
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// GELU and its derivative.
#[inline(always)]
fn gelu_with_slope(x: f32) -> (f32, f32) {
    let cdf = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
    // Source: 1/√(2π), the normal density at 0.
    let density = 0.398_942_3 * exp(-0.5 * x * x);
    (x * cdf, cdf + x * density)
}

macro_rules! vectorised {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        #[multiversion(targets(
            "x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma",
            "x86_64+avx2+fma",
        ))]
        pub(crate) fn $name($($argument: $kind),*) $(-> $result)? $body
    };
}

pub(crate) use vectorised;

/// `x = x · σ(x)`.
pub(crate) fn silu_in_place(x: &mut [f32]) {
    dispatch(Silu(x));
}

#[derive(Debug)]
struct Silu<'a>(&'a mut [f32]);

impl WithSimd for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut vectors = self.0.chunks_exact_mut(lanes::<S>());
        for vector in &mut vectors {
            let value = load::<S>(vector);
            store::<S>(vector, silu_vector(simd, value));
        }
        let rest = vectors.into_remainder();
        let mut last = [0.0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let value = load::<S>(&last);
        store::<S>(&mut last, silu_vector(simd, value));
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[inline(always)]
pub(crate) fn silu_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let power = vector_exp(simd, simd.neg_f32s(x));
    simd.div_f32s(x, simd.add_f32s(simd.splat_f32s(1.0), power))
}

vectorised! {
    /// Multiplies `dy` with the derivative of SiLU at `x`.
    silu_backward_in_place(dy: &mut [f32], x: &[f32]) {
        dy.iter_mut().zip(x).for_each(|(dy, x)| {
            let s = sigmoid(*x);
            *dy *= s * (1.0 + x * (1.0 - s));
        });
    }
}

vectorised! {
    gelu_row(x: &[f32], y: &mut [f32]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = gelu(*x));
    }
}

vectorised! {
    gelu_backward_row(x: &[f32], dy: &[f32], dx: &mut [f32]) {
        dx.iter_mut().zip(x.iter().zip(dy)).for_each(|(dx, (x, dy))| {
            *dx = dy * gelu_with_slope(*x).1;
        });
    }
}

vectorised! {
    /// `a · gelu(b)` for a row `[a, b]`.
    geglu_row(x: &[f32], y: &mut [MaybeUninit<f32>]) {
        let (a, b) = x.split_at(y.len());
        y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| {
            y.write(a * gelu(*b));
        });
    }
}

vectorised! {
    geglu_backward_row(x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let (a, b) = x.split_at(dy.len());
        let (da, db) = dx.split_at_mut(dy.len());
        for i in 0..dy.len() {
            let (value, slope) = gelu_with_slope(b[i]);
            da[i] = dy[i] * value;
            db[i] = dy[i] * a[i] * slope;
        }
    }
}

/// SiLU of every element.
pub(crate) fn silu(mut x: Vec<f32>) -> Vec<f32> {
    x.par_chunks_mut(CHUNK).for_each(silu_in_place);
    x
}

/// Gradient of SiLU, in the place of the output's.
pub(crate) fn silu_backward(x: &[f32], dy: &mut [f32]) {
    dy.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(dy, x)| silu_backward_in_place(dy, x));
}

/// The exact GELU of every element.
pub(crate) fn gelu_all(x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| gelu_row(x, y));
    y
}

/// Gradient of the exact GELU.
pub(crate) fn gelu_backward(x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    dx.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK).zip(dy.par_chunks(CHUNK)))
        .for_each(|(dx, (x, dy))| gelu_backward_row(x, dy, dx));
    dx
}

/// `a · gelu(b)` for rows `[a, b]` of `2 · inner` elements.
pub(crate) fn geglu(x: &[f32], inner: usize) -> Vec<f32> {
    let mut y = Unwritten::new(x.len() / 2);
    y.cells()
        .par_chunks_mut(inner)
        .zip(x.par_chunks(2 * inner))
        .with_min_len(CHUNK.div_ceil(inner))
        .for_each(|(y, x)| geglu_row(x, y));
    // SAFETY: `x` has a row for each of `y`, all of whose elements are written.
    unsafe { y.written() }
}

/// Gradient of [`geglu`].
pub(crate) fn geglu_backward(x: &[f32], dy: &[f32], inner: usize) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    dx.par_chunks_mut(2 * inner)
        .zip(x.par_chunks(2 * inner).zip(dy.par_chunks(inner)))
        .with_min_len(CHUNK.div_ceil(inner))
        .for_each(|(dx, (x, dy))| geglu_backward_row(x, dy, dx));
    dx
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 1009th f32 between two positive ones; the step is prime to all powers of two.
    fn floats(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (from.to_bits()..=to.to_bits()).step_by(1009).map(f32::from_bits)
    }

    #[test]
    fn exp_is_within_the_measured_error_of_f64() {
        let mut largest = 0.0f64;
        for x in floats(1e-6, 87.0).flat_map(|x| [x, -x]) {
            largest = largest.max((f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(largest < 8e-8, "relative error {largest:e}");
    }

    /// Abramowitz and Stegun, 7.1.6: a series of positive terms, exact in f64 for `x` up to 4.
    fn erf_f64(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
    }

    #[test]
    fn erf_is_within_the_measured_error_of_f64() {
        // Abramowitz and Stegun, table 7.1.
        assert!((erf_f64(0.5) - 0.520_499_877_8).abs() < 1e-10);
        assert!((erf_f64(2.0) - 0.995_322_265_0).abs() < 1e-10);
        let mut largest = 0.0f64;
        for x in floats(1e-6, 4.0) {
            largest = largest.max((f64::from(erf(x)) - erf_f64(f64::from(x))).abs());
            assert_eq!(erf(-x), -erf(x));
        }
        assert!(largest < 3.4e-7, "absolute error {largest:e}");
        assert_eq!((erf(4.0), erf(f32::INFINITY)), (1.0, 1.0));
    }

    #[test]
    fn slopes_match_differences() {
        for i in -40..40 {
            let x = i as f32 * 0.1;
            let h = 1e-2;
            let difference = (gelu(x + h) - gelu(x - h)) / (2.0 * h);
            assert!((gelu_with_slope(x).1 - difference).abs() < 1e-3, "gelu'({x})");
            let mut slope = [1.0];
            silu_backward_in_place(&mut slope, &[x]);
            let silu = |x: f32| x / (1.0 + (-x).exp());
            let difference = (silu(x + h) - silu(x - h)) / (2.0 * h);
            assert!((slope[0] - difference).abs() < 1e-3, "silu'({x})");
        }
    }
}
