//! What the schedulers that count in σ share.

use burn::tensor::Tensor;

use crate::{PredictionType, SchedulerConfig, SigmaSpacing, TimestepSpacing};

/// Linear interpolation of a table at a fractional position.
pub(crate) fn interpolate(table: &[f64], at: f64) -> f64 {
    let low = (at.max(0.0) as usize).min(table.len() - 1);
    let high = (low + 1).min(table.len() - 1);
    table[low] + (table[high] - table[low]) * (at - low as f64).clamp(0.0, 1.0)
}

/// `n` σ, and the fractional timesteps they lie at, where the configuration spaces σ themselves:
/// from the largest to the least of `sigma_max` and `sigma_min`, or of `ends` where it has none.
/// `training` has σ of every training timestep.
pub(crate) fn spaced(
    config: &SchedulerConfig,
    training: &[f64],
    ends: [f64; 2],
    n: usize,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let largest = config.sigma_max.unwrap_or(ends[0]);
    let least = config.sigma_min.unwrap_or(ends[1]);
    let sigmas = match config.sigma_spacing {
        SigmaSpacing::Timesteps => return None,
        SigmaSpacing::Karras => karras(least, largest, n),
        SigmaSpacing::Exponential => exponential(least, largest, n),
    };
    // diffusers has these in f32.
    let logs: Vec<f64> = training.iter().map(|sigma| f64::from((*sigma as f32).ln())).collect();
    let timesteps = sigmas.iter().map(|sigma| sigma_to_timestep(&logs, *sigma)).collect();
    Some((sigmas, timesteps))
}

/// σ between two ends, dense where it is small (Karras et al., Eq. 5).
fn karras(least: f64, largest: f64, n: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (low, high) = (least.powf(1.0 / RHO), largest.powf(1.0 / RHO));
    (0..n).map(|i| (high + share(i, n) * (low - high)).powf(RHO)).collect()
}

/// σ between two ends, whose logarithms are evenly spaced.
fn exponential(least: f64, largest: f64, n: usize) -> Vec<f64> {
    let (low, high) = (least.ln(), largest.ln());
    (0..n).map(|i| (high + share(i, n) * (low - high)).exp()).collect()
}

/// How far the `i`th of `n` points lies from the first to the last.
fn share(i: usize, n: usize) -> f64 {
    if n > 1 { i as f64 / (n - 1) as f64 } else { 0.0 }
}

/// The fractional training timestep whose log σ is that of `sigma`.
fn sigma_to_timestep(logs: &[f64], sigma: f64) -> f64 {
    let log = sigma.max(1e-10).ln();
    let above = logs.iter().filter(|other| **other <= log).count();
    let low = above.saturating_sub(1).min(logs.len().saturating_sub(2));
    let (from, to) = (logs[low], logs.get(low + 1).copied().unwrap_or(logs[low]));
    // A single training timestep, or two that are one in f32.
    if from == to {
        return low as f64;
    }
    let weight = ((from - log) / (from - to)).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * (low + 1) as f64
}

/// The σ of a run in f32, as diffusers keeps them, and 0 after the last.
pub(crate) fn ends_at_zero(sigmas: &[f64]) -> Vec<f32> {
    sigmas.iter().map(|sigma| *sigma as f32).chain([0.0]).collect()
}

/// Factor of the initial noise of the classes whose samples have variance 1 + σ² (Euler, Heun),
/// whose spacing is linspace where the configuration names none.
pub(crate) fn initial_sigma(config: &SchedulerConfig, sigmas: &[f32]) -> f64 {
    let largest = f64::from(sigmas.iter().copied().fold(0.0, f32::max));
    match config.timestep_spacing {
        None | Some(TimestepSpacing::Linspace | TimestepSpacing::Trailing) => largest,
        Some(TimestepSpacing::Leading) => (largest * largest + 1.0).sqrt(),
    }
}

/// A sample of variance 1 + σ² as the U-Net is given it, with variance 1.
pub(crate) fn unit_variance(sample: Tensor<4>, sigma: f64) -> Tensor<4> {
    sample / (sigma * sigma + 1.0).sqrt()
}

/// The clean sample that `output` stands for, where `sample` has variance 1 + σ².
pub(crate) fn original(
    prediction_type: PredictionType,
    output: Tensor<4>,
    sample: Tensor<4>,
    sigma: f64,
) -> Tensor<4> {
    match prediction_type {
        PredictionType::Epsilon => sample - output * sigma,
        PredictionType::VPrediction => {
            let square = sigma * sigma + 1.0;
            output * (-sigma / square.sqrt()) + sample / square
        }
        PredictionType::Sample => output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sigma_to_timestep_of_one_training_sigma_is_its_own() {
        assert_eq!(sigma_to_timestep(&[-1.5], 0.3), 0.0);
        assert_eq!(sigma_to_timestep(&[-1.5, -1.5], (-1.5f64).exp()), 0.0);
    }

    proptest! {
        #[test]
        fn spaced_sigmas_fall_from_one_end_to_the_other(
            least in 0.01f64..1.0,
            largest in 2.0f64..100.0,
            n in 2usize..40,
        ) {
            for ladder in [karras(least, largest, n), exponential(least, largest, n)] {
                prop_assert_eq!(ladder.len(), n);
                prop_assert!((ladder[0] / largest - 1.0).abs() < 1e-12);
                prop_assert!((ladder[n - 1] / least - 1.0).abs() < 1e-12);
                prop_assert!(ladder.windows(2).all(|pair| pair[0] > pair[1]));
            }
        }

        #[test]
        fn sigma_to_timestep_finds_where_a_training_sigma_lies(at in 0usize..1000) {
            let logs: Vec<f64> = (0..1000).map(|t| -3.0 + 0.006 * t as f64).collect();
            let found = sigma_to_timestep(&logs, logs[at].exp());
            prop_assert!((found - at as f64).abs() < 1e-6, "{} {}", found, at);
        }
    }
}
