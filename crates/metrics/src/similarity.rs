//! Pixels compared directly: PSNR and SSIM.

use std::collections::VecDeque;

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
    let total: f64 = (0..3).map(|channel| ssim_channel([a, b], channel)).sum();
    Ok(total / 3.0)
}

/// Means over windows in a row of the picture: of both pictures' values, of their squares, and of
/// their products.
type Means = [Vec<f64>; 5];

/// The mean over all windows of a channel; as many rows are held as a window has.
fn ssim_channel(pictures: [&RgbImage; 2], channel: usize) -> f64 {
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let weights = gaussian();
    let [width, height] = [pictures[0].width, pictures[0].height];
    let (mut rows, mut total) = (VecDeque::<Means>::with_capacity(WINDOW), 0.0);
    for y in 0..height {
        if rows.len() == WINDOW {
            rows.pop_front();
        }
        rows.push_back(row_means(pictures.map(|picture| row(picture, channel, y)), &weights));
        if rows.len() < WINDOW {
            continue;
        }
        let [mean_a, mean_b, aa, bb, ab] = column_means(&rows, &weights);
        for x in 0..mean_a.len() {
            let (ma, mb) = (mean_a[x], mean_b[x]);
            let (va, vb, cov) = (aa[x] - ma * ma, bb[x] - mb * mb, ab[x] - ma * mb);
            total += ((2.0 * ma * mb + c1) * (2.0 * cov + c2))
                / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    }
    total / ((width + 1 - WINDOW) * (height + 1 - WINDOW)) as f64
}

fn row(picture: &RgbImage, channel: usize, y: usize) -> Vec<f64> {
    let pixels = &picture.rgb[3 * y * picture.width..3 * (y + 1) * picture.width];
    pixels.iter().skip(channel).step_by(3).map(|value| f64::from(*value)).collect()
}

/// The weights of a window's rows and columns, of sum 1.
fn gaussian() -> [f64; WINDOW] {
    let weights: [f64; WINDOW] =
        std::array::from_fn(|i| (-((i as f64 - (WINDOW / 2) as f64) / SIGMA).powi(2) / 2.0).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

fn row_means([a, b]: [Vec<f64>; 2], weights: &[f64; WINDOW]) -> Means {
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect();
    let (aa, bb, ab) = (product(&a, &a), product(&b, &b), product(&a, &b));
    let mean = |window: &[f64]| window.iter().zip(weights).map(|(v, w)| v * w).sum();
    [a, b, aa, bb, ab].map(|values: Vec<f64>| values.windows(WINDOW).map(mean).collect())
}

fn column_means(rows: &VecDeque<Means>, weights: &[f64; WINDOW]) -> Means {
    std::array::from_fn(|of| {
        let mut sums = vec![0.0; rows[0][of].len()];
        for (row, weight) in rows.iter().zip(weights) {
            sums.iter_mut().zip(&row[of]).for_each(|(sum, value)| *sum += value * weight);
        }
        sums
    })
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
