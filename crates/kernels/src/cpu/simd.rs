//! Which vector instructions the processor has, found out once.

use std::sync::OnceLock;

use pulp::{Simd, WithSimd};

/// The instruction sets that kernels are compiled for; one program has all those of its
/// architecture.
#[derive(Debug, Clone, Copy)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    /// What every processor of the architecture has.
    Portable(pulp::Scalar128b),
}

fn detect() -> Instructions {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return Instructions::Avx512(simd);
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Instructions::Avx2(simd);
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        return Instructions::Neon(simd);
    }
    Instructions::Portable(pulp::Scalar128b)
}

/// Runs `work` compiled for the best instructions at hand.
pub(crate) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    static FOUND: OnceLock<Instructions> = OnceLock::new();
    match *FOUND.get_or_init(detect) {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512(simd) => Simd::vectorize(simd, work),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2(simd) => Simd::vectorize(simd, work),
        #[cfg(target_arch = "aarch64")]
        Instructions::Neon(simd) => Simd::vectorize(simd, work),
        Instructions::Portable(simd) => Simd::vectorize(simd, work),
    }
}

/// Runs `work` compiled for each instruction set that this processor has.
#[cfg(test)]
pub(crate) fn dispatch_all<W: WithSimd + Clone>(work: &W, mut check: impl FnMut(W::Output)) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            check(Simd::vectorize(simd, work.clone()));
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            check(Simd::vectorize(simd, work.clone()));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        check(Simd::vectorize(simd, work.clone()));
    }
    check(Simd::vectorize(pulp::Scalar128b, work.clone()));
}

/// Values of a vector of `S`.
#[inline(always)]
pub(crate) const fn lanes<S: Simd>() -> usize {
    size_of::<S::f32s>() / size_of::<f32>()
}

/// The vector at the start of `values`.
///
/// # Panics
/// Where there are fewer values than lanes.
#[inline(always)]
pub(crate) fn load<S: Simd>(values: &[f32]) -> S::f32s {
    assert!(values.len() >= lanes::<S>());
    // SAFETY: the values are there, as asserted, and a vector is plain f32 of any alignment.
    unsafe { std::ptr::read_unaligned(values.as_ptr().cast()) }
}

/// Writes a vector to the start of `values`.
///
/// # Panics
/// Where there are fewer values than lanes.
#[inline(always)]
pub(crate) fn store<S: Simd>(values: &mut [f32], vector: S::f32s) {
    assert!(values.len() >= lanes::<S>());
    // SAFETY: as in `load`.
    unsafe { std::ptr::write_unaligned(values.as_mut_ptr().cast(), vector) }
}

/// `eˣ` for every lane, `x` clamped to [-87, 88]; relative error below 2e-7 (measured); not a
/// number where `x` is none.
///
/// Source: as `exp` of single values, its sums of products fused where the processor can.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let inside = simd.min_f32s(simd.splat_f32s(88.0), simd.max_f32s(simd.splat_f32s(-87.0), x));
    // Adding 1.5 · 2²³ leaves the rounded value in the lowest bits.
    let magic = simd.splat_f32s(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(inside, simd.splat_f32s(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-0.693_359_4), inside);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    let mut p = simd.splat_f32s(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(coefficient));
    }
    let linear = simd.add_f32s(r, simd.splat_f32s(1.0));
    let p = simd.mul_add_e_f32s(simd.mul_f32s(p, r), r, linear);
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let result = simd.mul_f32s(p, simd.transmute_f32s_u32s(power));
    // Clamping may lose that a value is no number.
    simd.select_f32s(simd.equal_f32s(x, x), result, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Exponentials(Vec<f32>);

    impl WithSimd for Exponentials {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            for values in self.0.chunks_exact_mut(lanes::<S>()) {
                let result = exp(simd, load::<S>(values));
                store::<S>(values, result);
            }
            self.0
        }
    }

    #[test]
    fn exp_of_every_instruction_set_is_within_the_measured_error_of_f64() {
        let inputs: Vec<f32> = (0..1 << 17).map(|i| (i - (1 << 16)) as f32 * 1.32e-3).collect();
        dispatch_all(&Exponentials(inputs.clone()), |outputs| {
            for (x, y) in inputs.iter().zip(outputs) {
                let error = (f64::from(y) / f64::from(*x).exp() - 1.0).abs();
                assert!(error < 2e-7, "exp({x}) = {y}: relative error {error:e}");
            }
        });
    }

    #[test]
    fn exp_of_no_number_is_none_and_far_inputs_are_clamped() {
        dispatch_all(
            &Exponentials([f32::NAN, -1e9, 1e9, f32::NEG_INFINITY].repeat(4)),
            |outputs| {
                assert!(outputs[0].is_nan());
                assert!(outputs[1] > 0.0 && outputs[1] < 1e-37);
                assert!(outputs[2] > 1e38 && outputs[2].is_finite());
                assert_eq!(outputs[3], outputs[1]);
            },
        );
    }
}
