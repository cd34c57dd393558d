//! How a prediction is read at a noise level.

use burn::tensor::Tensor;

use crate::PredictionType;

/// A sample of unit variance is α x₀ + σ ε, with α² + σ² = 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    /// α.
    pub(crate) signal: f64,
    /// σ.
    pub(crate) sigma: f64,
}

impl Level {
    /// The level of a cumulative product ᾱ = α², with roots in f32 as diffusers has them.
    pub(crate) fn new(alpha_cumprod: f32) -> Self {
        Self {
            signal: f64::from(alpha_cumprod.sqrt()),
            sigma: f64::from((1.0 - alpha_cumprod).sqrt()),
        }
    }

    /// The clean sample x₀ that `output` stands for.
    pub(crate) fn original(
        self,
        prediction_type: PredictionType,
        output: Tensor<4>,
        sample: Tensor<4>,
    ) -> Tensor<4> {
        match prediction_type {
            PredictionType::Epsilon => (sample - output * self.sigma) / self.signal,
            PredictionType::VPrediction => sample * self.signal - output * self.sigma,
            PredictionType::Sample => output,
        }
    }

    /// The noise ε that `output` stands for.
    pub(crate) fn epsilon(
        self,
        prediction_type: PredictionType,
        output: Tensor<4>,
        sample: Tensor<4>,
    ) -> Tensor<4> {
        match prediction_type {
            PredictionType::Epsilon => output,
            PredictionType::VPrediction => output * self.signal + sample * self.sigma,
            PredictionType::Sample => (sample - output * self.signal) / self.sigma,
        }
    }
}
