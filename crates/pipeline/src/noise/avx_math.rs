//! Box and Muller's transform of f32 values, bit for bit as PyTorch computes it on CPUs with AVX2.
//!
//! PyTorch (`aten/src/ATen/native/cpu/DistributionTemplates.h`, `normal_fill_16_AVX2`) takes the
//! logarithm, sine and cosine of `avx_mathfun.h` (Garberoglio, after Pommier and the Cephes library
//! of Moshier). The compiler fuses its multiplications with the additions that follow them, so that
//! these are rounded once.

/// Source: Cephes `logf`, coefficients of the polynomial in x − 1, highest first.
#[expect(clippy::excessive_precision, reason = "as Cephes prints them")]
const LOG: [f32; 9] = [
    7.037_683_629_2e-2,
    -1.151_461_031_0e-1,
    1.167_699_874_0e-1,
    -1.242_014_084_6e-1,
    1.424_932_278_7e-1,
    -1.666_805_766_5e-1,
    2.000_071_476_5e-1,
    -2.499_999_399_3e-1,
    3.333_333_117_4e-1,
];
/// ln 2 in two parts, the first exact in products with small integers.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Cephes `sinf`: coefficients in x², highest first.
#[expect(clippy::excessive_precision, reason = "as Cephes prints them")]
const SIN: [f32; 3] = [-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_665_461_1e-1];
/// Cephes `cosf`: coefficients in x², highest first.
#[expect(clippy::excessive_precision, reason = "as Cephes prints them")]
const COS: [f32; 3] =
    [2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2];
/// −π/4 in three parts, the first two exact in products with small integers.
#[expect(clippy::excessive_precision, reason = "as Cephes prints them")]
const MINUS_QUARTER_PI: [f32; 3] =
    [-0.785_156_25, -2.418_756_484_985_351_562_5e-4, -3.774_894_977_445_941_08e-8];

/// The two normal values of two uniform ones in [0, 1).
pub(super) fn box_muller(u1: f32, u2: f32) -> [f32; 2] {
    let radius = (-2.0 * ln(1.0 - u1)).sqrt();
    let [sin, cos] = sin_cos(std::f32::consts::TAU * u2);
    [radius * cos, radius * sin]
}

/// The polynomial of the coefficients, highest first.
fn polynomial(coefficients: &[f32], x: f32) -> f32 {
    coefficients.iter().copied().reduce(|sum, next| sum.mul_add(x, next)).unwrap_or(0.0)
}

/// The natural logarithm of a positive number.
fn ln(x: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    // x = m · 2^e with m from √½ to √2.
    let bits = x.max(f32::MIN_POSITIVE).to_bits();
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let mantissa = f32::from_bits(bits & MANTISSA | 0.5f32.to_bits());
    let mut x = mantissa - 1.0;
    if mantissa < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1.0;
        x += mantissa;
    }
    let square = x * x;
    let y = polynomial(&LOG, x) * x;
    let y = y.mul_add(square, exponent * LN_2[1]);
    let y = (-square).mul_add(0.5, y);
    exponent.mul_add(LN_2[0], x + y)
}

/// Sine and cosine of an angle from 0 to 2π.
fn sin_cos(angle: f32) -> [f32; 2] {
    // The octant, made even; what is left is from −π/4 to π/4.
    let octant = ((angle * (4.0 / std::f32::consts::PI)) as i32 + 1) & !1;
    let count = octant as f32;
    let x = MINUS_QUARTER_PI.iter().fold(angle, |x, part| count.mul_add(*part, x));
    let square = x * x;
    let cosine = polynomial(&COS, square) * square;
    let cosine = cosine.mul_add(square, -(square * 0.5)) + 1.0;
    let sine = (polynomial(&SIN, square) * square).mul_add(x, x);
    let [sine, cosine] = if octant & 2 == 0 { [sine, cosine] } else { [cosine, sine] };
    let negated = |value: f32, negative: bool| if negative { -value } else { value };
    [negated(sine, octant & 4 != 0), negated(cosine, (octant - 2) & 4 == 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_and_sin_cos_are_within_two_units_in_the_last_place() {
        // Cephes states a relative error below 2⁻²³ for its logarithm, absolute for sine and cosine.
        for i in 1..=4096u32 {
            let x = i as f32 / 4096.0;
            let exact = f64::from(x).ln();
            assert!((f64::from(ln(x)) - exact).abs() <= exact.abs() * 1.2e-7, "ln {x}");
            let angle = std::f32::consts::TAU * (1.0 - x);
            let exact = f64::from(angle).sin_cos();
            let [sin, cos] = sin_cos(angle).map(f64::from);
            assert!((sin - exact.0).abs() < 1.2e-7 && (cos - exact.1).abs() < 1.2e-7, "{angle}");
        }
    }
}
