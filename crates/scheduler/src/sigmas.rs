//! What the schedulers that count in σ share.

use burn::tensor::Tensor;

use crate::PredictionType;

/// Linear interpolation of a table at a fractional position.
pub(crate) fn interpolate(table: &[f64], at: f64) -> f64 {
    let low = (at.max(0.0) as usize).min(table.len() - 1);
    let high = (low + 1).min(table.len() - 1);
    table[low] + (table[high] - table[low]) * (at - low as f64).clamp(0.0, 1.0)
}

/// σ between two ends, dense where it is small (Karras et al., Eq. 5).
pub(crate) fn karras(least: f64, largest: f64, n: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (low, high) = (least.powf(1.0 / RHO), largest.powf(1.0 / RHO));
    let ramp = |i: usize| if n > 1 { i as f64 / (n - 1) as f64 } else { 0.0 };
    (0..n).map(|i| (high + ramp(i) * (low - high)).powf(RHO)).collect()
}

/// The fractional training timestep whose log σ is that of `sigma`.
pub(crate) fn sigma_to_timestep(logs: &[f64], sigma: f64) -> f64 {
    let log = sigma.max(1e-10).ln();
    let above = logs.iter().filter(|other| **other <= log).count();
    let low = above.saturating_sub(1).min(logs.len().saturating_sub(2));
    let weight = ((logs[low] - log) / (logs[low] - logs[low + 1])).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * (low + 1) as f64
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
