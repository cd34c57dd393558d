//! The signal-to-noise ratio of a noise prediction.

use crate::MetricsError;

/// The paper's Eq. 2: `‖x₀‖² / Var(ε − ε̂)`, with the squared norm summed over all elements of the
/// clean latent and the variance taken over those of the prediction's error.
///
/// Infinite for a perfect prediction.
///
/// # Errors
/// [`MetricsError`] where sizes differ or there is nothing.
pub fn snr(clean: &[f32], noise: &[f32], predicted: &[f32]) -> Result<f64, MetricsError> {
    if clean.len() != noise.len() || noise.len() != predicted.len() {
        return Err(MetricsError::Size {
            left: format!("{} and {}", clean.len(), noise.len()),
            right: predicted.len().to_string(),
        });
    }
    if clean.is_empty() {
        return Err(MetricsError::TooSmall {
            expected: "at least one element",
            found: "none".into(),
        });
    }
    let power: f64 = clean.iter().map(|x| f64::from(*x).powi(2)).sum();
    let errors = noise.iter().zip(predicted).map(|(a, b)| f64::from(*a) - f64::from(*b));
    let count = noise.len() as f64;
    let mean = errors.clone().sum::<f64>() / count;
    let variance = errors.map(|error| (error - mean).powi(2)).sum::<f64>() / count;
    Ok(power / variance)
}

/// A power ratio in decibels.
pub fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snr_known_case() {
        // Power 1 + 4 = 5; errors 1 and −1: variance 1.
        assert_eq!(snr(&[1.0, 2.0], &[1.0, 0.0], &[0.0, 1.0]).unwrap(), 5.0);
        assert_eq!(snr(&[1.0], &[0.5], &[0.5]).unwrap(), f64::INFINITY);
        // A constant offset is no variance.
        assert_eq!(snr(&[1.0, 1.0], &[1.0, 2.0], &[0.0, 1.0]).unwrap(), f64::INFINITY);
        assert!(snr(&[], &[], &[]).is_err() && snr(&[1.0], &[1.0, 2.0], &[1.0, 2.0]).is_err());
        assert!((decibels(100.0) - 20.0).abs() < 1e-12);
    }
}
