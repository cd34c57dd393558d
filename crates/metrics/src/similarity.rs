//! Pixels compared directly: PSNR and SSIM.

use pictures::RgbImage;

use crate::MetricsError;

fn check(a: &RgbImage, b: &RgbImage) -> Result<(), MetricsError> {
    a.check()?;
    b.check()?;
    if a.size() != b.size() {
        return Err(MetricsError::Size {
            left: format!("{}×{}", a.width, a.height),
            right: format!("{}×{}", b.width, b.height),
        });
    }
    Ok(())
}

/// What equal pictures, whose ratio is infinite, count as in means of PSNR, in decibels; no pair
/// counts as more.
pub const EQUAL_PSNR: f64 = 100.0;

/// Mean squared difference of the pixels' values, which are from 0 to 255.
///
/// # Errors
/// [`MetricsError::Size`] for pictures of different sizes, [`MetricsError::Picture`] for one
/// without pixels.
pub fn mean_squared_error(a: &RgbImage, b: &RgbImage) -> Result<f64, MetricsError> {
    check(a, b)?;
    let squares: f64 =
        a.rgb.iter().zip(&b.rgb).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    Ok(squares / a.rgb.len() as f64)
}

/// Peak signal-to-noise ratio in decibels; infinite for equal pictures.
///
/// # Errors
/// As [`mean_squared_error`].
pub fn psnr(a: &RgbImage, b: &RgbImage) -> Result<f64, MetricsError> {
    Ok(10.0 * (255.0 * 255.0 / mean_squared_error(a, b)?).log10())
}

/// Side of the SSIM window.
const WINDOW: usize = 11;
/// Standard deviation of the SSIM window.
const SIGMA: f64 = 1.5;

/// Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels and σ = 1.5, K₁ = 0.01,
/// K₂ = 0.03, windows that lie wholly inside, mean over channels; 1 for equal pictures.
///
/// # Errors
/// [`MetricsError`] for pictures of different sizes or smaller than the window.
pub fn ssim(a: &RgbImage, b: &RgbImage) -> Result<f64, MetricsError> {
    check(a, b)?;
    if a.width < WINDOW || a.height < WINDOW {
        return Err(MetricsError::TooSmall {
            expected: "pictures of at least 11×11 pixels",
            found: format!("{}×{}", a.width, a.height),
        });
    }
    let mut total = 0.0;
    for channel in 0..3 {
        let plane = |picture: &RgbImage| -> Vec<f64> {
            picture.rgb.iter().skip(channel).step_by(3).map(|v| f64::from(*v)).collect()
        };
        total += ssim_plane(&plane(a), &plane(b), a.width, a.height);
    }
    Ok(total / 3.0)
}

fn ssim_plane(a: &[f64], b: &[f64], width: usize, height: usize) -> f64 {
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let product =
        |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let smooth = |plane: &[f64]| blur(plane, width, height);
    let (mean_a, mean_b) = (smooth(a), smooth(b));
    let (aa, bb, ab) = (smooth(&product(a, a)), smooth(&product(b, b)), smooth(&product(a, b)));
    let count = mean_a.len() as f64;
    (0..mean_a.len())
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
            ((2.0 * ma * mb + c1) * (2.0 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
        })
        .sum::<f64>()
        / count
}

/// The Gaussian-weighted mean of every window that lies wholly inside.
fn blur(plane: &[f64], width: usize, height: usize) -> Vec<f64> {
    let weights: Vec<f64> = (0..WINDOW)
        .map(|i| (-((i as f64 - (WINDOW / 2) as f64) / SIGMA).powi(2) / 2.0).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    let (out_width, out_height) = (width - WINDOW + 1, height - WINDOW + 1);
    let mut rows = vec![0.0; out_width * height];
    for y in 0..height {
        for x in 0..out_width {
            let window = &plane[y * width + x..][..WINDOW];
            rows[y * out_width + x] =
                window.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>() / sum;
        }
    }
    let mut out = vec![0.0; out_width * out_height];
    for y in 0..out_height {
        for x in 0..out_width {
            let column = (0..WINDOW).map(|i| rows[(y + i) * out_width + x] * weights[i]);
            out[y * out_width + x] = column.sum::<f64>() / sum;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(rgb: Vec<u8>, width: usize) -> RgbImage {
        RgbImage { width, height: rgb.len() / 3 / width, rgb }
    }

    #[test]
    fn psnr_known_difference() {
        let (a, b) = (picture(vec![100; 12], 2), picture(vec![110; 12], 2));
        assert!((psnr(&a, &b).unwrap() - 20.0 * (25.5f64).log10()).abs() < 1e-9);
    }

    #[test]
    fn sizes_that_differ_or_are_too_small_are_refused() {
        let (a, b) = (picture(vec![0; 12], 2), picture(vec![0; 27], 3));
        assert!(psnr(&a, &b).unwrap_err().to_string().contains("3×3"));
        assert!(ssim(&a, &a).unwrap_err().to_string().contains("11×11"));
        let torn = RgbImage { width: 5, height: 5, rgb: vec![0; 12] };
        assert!(psnr(&torn, &a).unwrap_err().to_string().contains("expected 75 values"));
    }

    proptest! {
        #[test]
        fn identity_and_symmetry(a in proptest::collection::vec(any::<u8>(), 3 * 13 * 12),
                                 b in proptest::collection::vec(any::<u8>(), 3 * 13 * 12)) {
            let (a, b) = (picture(a, 13), picture(b, 13));
            prop_assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-9);
            prop_assert_eq!(psnr(&a, &a).unwrap(), f64::INFINITY);
            prop_assert!((ssim(&a, &b).unwrap() - ssim(&b, &a).unwrap()).abs() < 1e-12);
            prop_assert_eq!(psnr(&a, &b).unwrap(), psnr(&b, &a).unwrap());
            prop_assert!(ssim(&a, &b).unwrap() <= 1.0);
        }
    }
}
