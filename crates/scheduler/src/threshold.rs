//! Keeping predicted clean samples in bounds.

use burn::tensor::{Tensor, TensorData};

use crate::SchedulerConfig;

/// How predicted clean samples are kept in bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Clamp {
    /// Not at all.
    None,
    /// To ± this.
    Fixed(f64),
    /// To a percentile of the sample's own magnitudes, at least 1, and scaled back to ± 1 (Saharia
    /// et al., Sec. 2.3).
    Dynamic { ratio: f64, largest: f64 },
}

impl Clamp {
    /// What a configuration asks for; `clip_default` is the class's own `clip_sample`.
    pub(crate) fn new(config: &SchedulerConfig, clip_default: bool) -> Self {
        match Self::dynamic(config) {
            Self::None => Self::fixed(config, clip_default),
            other => other,
        }
    }

    /// The clamp of the classes that have no dynamic thresholding.
    pub(crate) fn fixed(config: &SchedulerConfig, clip_default: bool) -> Self {
        match config.clip_sample.unwrap_or(clip_default) {
            true => Self::Fixed(config.clip_sample_range),
            false => Self::None,
        }
    }

    /// Dynamic thresholding where the configuration asks for it.
    pub(crate) fn dynamic(config: &SchedulerConfig) -> Self {
        if config.thresholding {
            Self::Dynamic {
                ratio: config.dynamic_thresholding_ratio,
                largest: config.sample_max_value,
            }
        } else {
            Self::None
        }
    }

    pub(crate) fn apply(self, sample: Tensor<4>) -> Tensor<4> {
        match self {
            Self::None => sample,
            Self::Fixed(range) => sample.clamp(-range, range),
            Self::Dynamic { ratio, largest } => dynamic(sample, ratio, largest),
        }
    }
}

fn dynamic(sample: Tensor<4>, ratio: f64, largest: f64) -> Tensor<4> {
    let (dims, device, dtype) = (sample.dims(), sample.device(), sample.dtype());
    let mut values: Vec<f32> = sample.into_data().iter::<f32>().collect();
    let size = (values.len() / dims[0].max(1)).max(1);
    for sample in values.chunks_exact_mut(size) {
        let mut magnitudes: Vec<f64> = sample.iter().map(|value| f64::from(value.abs())).collect();
        magnitudes.sort_by(f64::total_cmp);
        let at = ratio * (size - 1) as f64;
        let (low, high) = (magnitudes[at.floor() as usize], magnitudes[at.ceil() as usize]);
        let bound = (low + (high - low) * at.fract()).clamp(1.0, largest.max(1.0)) as f32;
        sample.iter_mut().for_each(|value| *value = value.clamp(-bound, bound) / bound);
    }
    Tensor::from_data(TensorData::new(values, dims), (&device, dtype))
}
