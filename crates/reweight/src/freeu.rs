//! FreeU (Si et al., *FreeU: Free Lunch in Diffusion U-Net*, arXiv 2309.11497).

use std::f64::consts::TAU;

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use unet_core::{Intervention, SkipSite};

use crate::{ReweightError, StepWindow};

/// Which up-block layers FreeU acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreeUGating {
    /// diffusers: the first up block with `b1`, `s1`, the second with `b2`, `s2`.
    Resolution,
    /// The original and ComfyUI: features of `4 · model_channels` channels with `b1`, `s1`, of
    /// `2 · model_channels` with `b2`, `s2`.
    Channels,
}

/// How FreeU scales the backbone features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreeUForm {
    /// By the constant `b` (the first version; diffusers).
    Constant,
    /// By `(b − 1) · m + 1`, `m` the features' channel mean brought to [0, 1] (the second version).
    Adaptive,
}

/// FreeU (Si et al.): scales half of the backbone features of the first two decoder stages and
/// damps the low frequencies of their skip connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeU {
    /// Backbone factor of the first stage.
    pub b1: f64,
    /// Backbone factor of the second stage.
    pub b2: f64,
    /// Skip factor of the first stage.
    pub s1: f64,
    /// Skip factor of the second stage.
    pub s2: f64,
    /// Which layers are meant.
    #[serde(default = "default_gating")]
    pub gating: FreeUGating,
    /// How the backbone is scaled.
    #[serde(default = "default_form")]
    pub form: FreeUForm,
    /// When it is active.
    #[serde(default = "default_window")]
    pub window: StepWindow,
}

fn default_gating() -> FreeUGating {
    FreeUGating::Resolution
}

fn default_form() -> FreeUForm {
    FreeUForm::Constant
}

fn default_window() -> StepWindow {
    StepWindow::ALL
}

impl FreeU {
    /// Published factors for SD 1.5 (<https://github.com/ChenyangSi/FreeU>, as the others).
    pub const SD15: Self = Self::constant(1.5, 1.6, 0.9, 0.2);
    /// Published factors for SD 2.1.
    pub const SD21: Self = Self::constant(1.4, 1.6, 0.9, 0.2);
    /// Published factors for SDXL.
    pub const SDXL: Self = Self::constant(1.3, 1.4, 0.9, 0.2);

    /// diffusers' FreeU with these factors.
    pub const fn constant(b1: f64, b2: f64, s1: f64, s2: f64) -> Self {
        let (gating, form) = (FreeUGating::Resolution, FreeUForm::Constant);
        Self { b1, b2, s1, s2, gating, form, window: StepWindow::ALL }
    }

    /// Checks the factors and the window.
    ///
    /// # Errors
    /// [`ReweightError::Value`] naming what is out of range.
    pub fn check(&self) -> Result<(), ReweightError> {
        for (name, value) in [("b1", self.b1), ("b2", self.b2), ("s1", self.s1), ("s2", self.s2)] {
            if !value.is_finite() || value < 0.0 {
                return Err(ReweightError::Value(format!(
                    "FreeU: expected `{name}` finite and 0 or more, found {value}"
                )));
            }
        }
        let StepWindow { start, end } = self.window;
        if !(0.0 <= start && start <= end && end <= 1.0) {
            return Err(ReweightError::Value(format!(
                "FreeU: expected a window with 0 <= start <= end <= 1, found {start} and {end}"
            )));
        }
        Ok(())
    }

    /// The factors `(b, s)` at a site, where FreeU acts on it.
    fn factors(&self, site: SkipSite, channels: usize) -> Option<(f64, f64)> {
        let stage = match self.gating {
            FreeUGating::Resolution => site.up_block,
            FreeUGating::Channels if channels == 4 * site.model_channels => 0,
            FreeUGating::Channels if channels == 2 * site.model_channels => 1,
            FreeUGating::Channels => return None,
        };
        match stage {
            0 => Some((self.b1, self.s1)),
            1 => Some((self.b2, self.s2)),
            _ => None,
        }
    }

    fn scale_backbone(&self, hidden: Tensor<4>, factor: f64) -> Tensor<4> {
        let channels = hidden.dims()[1];
        let half = channels / 2;
        let first = hidden.clone().narrow(1, 0, half);
        let rest = hidden.clone().narrow(1, half, channels - half);
        let first = match self.form {
            FreeUForm::Constant => first * factor,
            FreeUForm::Adaptive => {
                let [batch, _, height, width] = hidden.dims();
                let mean = hidden.mean_dim(1);
                let flat: Tensor<2> = mean.clone().reshape([batch, height * width]);
                let shape = [batch, 1, 1, 1];
                let least = flat.clone().min_dim(1).reshape(shape);
                let most = flat.max_dim(1).reshape(shape);
                // Constant features have no spread; their map is 0.
                let spread = (most - least.clone()).clamp_min(1e-12);
                first * ((mean - least) / spread * (factor - 1.0) + 1.0)
            }
        };
        Tensor::cat(vec![first, rest], 1)
    }
}

impl Intervention for FreeU {
    fn skip_connection(
        &self,
        site: SkipSite,
        hidden: Tensor<4>,
        skip: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        match self.factors(site, hidden.dims()[1]) {
            Some((b, s)) => (self.scale_backbone(hidden, b), scale_low_frequencies(skip, s)),
            None => (hidden, skip),
        }
    }
}

/// FreeU with each sample's own factors, or without: sample `s` of a batch has row `s mod rows`.
pub(crate) struct FreeURows(pub(crate) Vec<Option<FreeU>>);

impl FreeURows {
    /// Whether no row has FreeU.
    pub(crate) fn is_vanilla(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    fn row(&self, sample: usize) -> Option<FreeU> {
        self.0[sample % self.0.len()]
    }
}

impl Intervention for FreeURows {
    fn skip_connection(
        &self,
        site: SkipSite,
        hidden: Tensor<4>,
        skip: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let (batch, mut start) = (hidden.dims()[0], 0);
        let (mut features, mut skips) = (Vec::new(), Vec::new());
        while start < batch {
            // Neighbours of the same factors are taken together.
            let freeu = self.row(start);
            let end = (start..batch).find(|at| self.row(*at) != freeu).unwrap_or(batch);
            let part = |tensor: &Tensor<4>| tensor.clone().narrow(0, start, end - start);
            let (hidden, skip) = (part(&hidden), part(&skip));
            let (hidden, skip) = match freeu {
                Some(freeu) => freeu.skip_connection(site, hidden, skip),
                None => (hidden, skip),
            };
            features.push(hidden);
            skips.push(skip);
            start = end;
        }
        if features.len() == 1 {
            return (features.remove(0), skips.remove(0));
        }
        (Tensor::cat(features, 0), Tensor::cat(skips, 0))
    }
}

/// Multiplies the (at most) four lowest Fourier bins, frequencies −1 and 0 of each axis, by
/// `factor`: `x + (factor − 1) · Re(Σ X_k e^{iφ_k}) / (h w)`, without a Fourier transform.
///
/// # Shapes
/// - input and output: `[batch, channels, h, w]`
fn scale_low_frequencies(x: Tensor<4>, factor: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let dtype = x.dtype();
    let basis = low_basis(height, width, &x.device());
    let flat: Tensor<2> = x.clone().cast(DType::F32).reshape([batch * channels, height * width]);
    let low = flat.clone().matmul(basis.clone().transpose()).matmul(basis);
    let scaled = flat + low * ((factor - 1.0) / (height * width) as f64);
    scaled.reshape([batch, channels, height, width]).cast(dtype)
}

/// Cosines and sines of the low bins, `[2 · bins, h · w]`.
fn low_basis(height: usize, width: usize, device: &Device) -> Tensor<2> {
    // An axis of length 1 has one frequency only.
    let frequencies = |size: usize| if size > 1 { vec![-1.0, 0.0] } else { vec![0.0] };
    let mut rows: Vec<f32> = Vec::new();
    let mut count = 0;
    for ky in frequencies(height) {
        for kx in frequencies(width) {
            let phases: Vec<f64> = (0..height * width)
                .map(|i| {
                    let (y, x) = ((i / width) as f64, (i % width) as f64);
                    TAU * (ky * y / height as f64 + kx * x / width as f64)
                })
                .collect();
            rows.extend(phases.iter().map(|phase| phase.cos() as f32));
            rows.extend(phases.iter().map(|phase| phase.sin() as f32));
            count += 2;
        }
    }
    Tensor::from_data(TensorData::new(rows, [count, height * width]), (device, DType::F32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_low_frequencies_constant_map_is_scaled_and_checkerboard_is_kept() {
        let device = Device::flex();
        let constant = Tensor::<4>::ones([1, 1, 6, 4], &device);
        let scaled = scale_low_frequencies(constant, 0.2).into_data();
        assert!(scaled.iter::<f32>().all(|value| (value - 0.2).abs() < 1e-5));
        let values: Vec<f32> =
            (0..24).map(|i| if (i / 4 + i % 4) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let board = Tensor::<4>::from_data(TensorData::new(values, [1, 1, 6, 4]), &device);
        let kept = (scale_low_frequencies(board.clone(), 0.2) - board).abs().max();
        assert!(kept.into_scalar::<f32>() < 1e-5);
    }

    #[test]
    fn factors_gatings_differ() {
        let by_block = FreeU::SD21;
        let by_channels = FreeU { gating: FreeUGating::Channels, ..FreeU::SD21 };
        let site = |up_block| SkipSite { up_block, layer: 0, model_channels: 320 };
        assert_eq!(by_block.factors(site(1), 1280), Some((1.6, 0.2)));
        assert_eq!(by_channels.factors(site(1), 1280), Some((1.4, 0.9)));
        assert_eq!(by_channels.factors(site(2), 640), Some((1.6, 0.2)));
        assert_eq!(by_block.factors(site(2), 640), None);
    }

    #[test]
    fn check_bad_values_are_refused() {
        assert!(FreeU { b1: -1.0, ..FreeU::SD21 }.check().is_err());
        let window = StepWindow { start: 0.6, end: 0.5 };
        assert!(FreeU { window, ..FreeU::SD21 }.check().is_err());
    }
}
