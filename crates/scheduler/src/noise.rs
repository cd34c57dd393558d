//! The noise schedule: ᾱ of every training timestep.

use burn::tensor::Tensor;

use crate::{BetaSchedule, PredictionType, SchedulerConfig};

/// ᾱ for every training timestep, with the forward process and the conversions between
/// prediction types.
///
/// Computed in f32 where diffusers does, so that rounding agrees.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    alphas_cumprod: Vec<f32>,
    prediction_type: PredictionType,
}

impl NoiseSchedule {
    /// The schedule a configuration describes.
    pub fn new(config: &SchedulerConfig) -> Self {
        let mut betas = betas(config);
        if config.rescale_betas_zero_snr {
            betas = rescale_zero_terminal_snr(&betas);
        }
        Self { alphas_cumprod: cumprod(&betas), prediction_type: config.prediction_type }
    }

    /// σ = √((1−ᾱ)/ᾱ) of every training timestep. Where ᾱ ends at 0 its last value counts as 2⁻²⁴,
    /// so that σ stays finite.
    pub(crate) fn sigmas(&self) -> Vec<f64> {
        const SMALLEST: f32 = 1.0 / 16_777_216.0;
        let sigma = |alpha: &f32| {
            let alpha = if *alpha == 0.0 { SMALLEST } else { *alpha };
            f64::from(((1.0 - alpha) / alpha).sqrt())
        };
        self.alphas_cumprod.iter().map(sigma).collect()
    }

    /// σ at a timestep from 0 on, which may lie between two training timesteps: linear between
    /// theirs.
    pub fn sigma(&self, timestep: f64) -> f64 {
        let sigmas = self.sigmas();
        let last = sigmas.len() - 1;
        let at = timestep.clamp(0.0, last as f64);
        let below = at.floor() as usize;
        let above = (below + 1).min(last);
        sigmas[below] + (at - below as f64) * (sigmas[above] - sigmas[below])
    }

    /// ᾱ of every training timestep.
    pub fn alphas_cumprod(&self) -> &[f32] {
        &self.alphas_cumprod
    }

    /// ᾱ of a training timestep; of the last where there is none of that number.
    pub(crate) fn alpha_cumprod(&self, timestep: usize) -> f32 {
        self.alphas_cumprod[timestep.min(self.alphas_cumprod.len() - 1)]
    }

    /// `x_t = √ᾱ x₀ + √(1−ᾱ) ε`.
    ///
    /// # Shapes
    /// - all: `[batch, channels, height, width]`; `timestep` below the number of timesteps
    pub fn add_noise(&self, clean: Tensor<4>, noise: Tensor<4>, timestep: usize) -> Tensor<4> {
        let (signal, sigma) = self.scales(timestep);
        clean * signal + noise * sigma
    }

    /// The noise prediction ε̂ that a model output stands for.
    pub fn to_epsilon(&self, output: Tensor<4>, sample: Tensor<4>, timestep: usize) -> Tensor<4> {
        let (signal, sigma) = self.scales(timestep);
        match self.prediction_type {
            PredictionType::Epsilon => output,
            PredictionType::VPrediction => output * signal + sample * sigma,
            PredictionType::Sample => (sample - output * signal) / sigma,
        }
    }

    /// What a model is trained to say of `x_t = √ᾱ x₀ + √(1−ᾱ) ε`: ε, the velocity
    /// `√ᾱ ε − √(1−ᾱ) x₀`, or x₀, by the prediction type.
    ///
    /// # Shapes
    /// - all: `[batch, channels, height, width]`; `timestep` below the number of timesteps
    pub fn target(&self, clean: Tensor<4>, noise: Tensor<4>, timestep: usize) -> Tensor<4> {
        let (signal, sigma) = self.scales(timestep);
        match self.prediction_type {
            PredictionType::Epsilon => noise,
            PredictionType::VPrediction => noise * signal - clean * sigma,
            PredictionType::Sample => clean,
        }
    }

    /// √ᾱ and √(1−ᾱ).
    fn scales(&self, timestep: usize) -> (f64, f64) {
        let alpha = self.alpha_cumprod(timestep);
        (f64::from(alpha.sqrt()), f64::from((1.0 - alpha).sqrt()))
    }
}

/// PyTorch's `linspace` in f32, which counts from both ends.
fn linspace(start: f64, end: f64, n: usize) -> Vec<f32> {
    let (start, end) = (start as f32, end as f32);
    let step = if n > 1 { (end - start) / (n - 1) as f32 } else { 0.0 };
    let at = |i: usize| {
        if i < n / 2 { start + step * i as f32 } else { end - step * (n - 1 - i) as f32 }
    };
    if n == 1 { vec![start] } else { (0..n).map(at).collect() }
}

fn betas(config: &SchedulerConfig) -> Vec<f32> {
    let n = config.num_train_timesteps;
    match config.beta_schedule {
        BetaSchedule::Linear => linspace(config.beta_start, config.beta_end, n),
        BetaSchedule::ScaledLinear => linspace(config.beta_start.sqrt(), config.beta_end.sqrt(), n)
            .into_iter()
            .map(|root| root * root)
            .collect(),
        BetaSchedule::SquaredcosCapV2 => {
            let bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
            let at = |i: usize| bar(i as f64 / n as f64);
            (0..n).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
        }
    }
}

/// The running product of `1 − β`, accumulated in f64 and stored in f32 as PyTorch does.
fn cumprod(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0f64;
    betas
        .iter()
        .map(|beta| {
            product *= f64::from(1.0 - beta);
            product as f32
        })
        .collect()
}

/// Shifts and scales √ᾱ so that it ends at 0 (Lin et al., Algorithm 1).
fn rescale_zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = cumprod(betas).into_iter().map(f32::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let bars: Vec<f32> = roots
        .iter()
        .map(|root| (root - last) * (first / (first - last)))
        .map(|root| root * root)
        .collect();
    let mut previous = 1.0;
    bars.into_iter()
        .map(|bar| {
            let alpha = bar / previous;
            previous = bar;
            1.0 - alpha
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_stands_for_the_noise_that_was_added() {
        let device = burn::tensor::Device::flex();
        let tensor =
            |values: [f32; 4]| Tensor::<1>::from_floats(values, &device).reshape([1, 1, 2, 2]);
        let (clean, noise) = (tensor([0.5, -1.0, 2.0, 0.0]), tensor([-0.3, 1.2, 0.1, -2.0]));
        for prediction_type in
            [PredictionType::Epsilon, PredictionType::VPrediction, PredictionType::Sample]
        {
            let config = SchedulerConfig { prediction_type, ..SchedulerConfig::default() };
            let schedule = NoiseSchedule::new(&config);
            let noised = schedule.add_noise(clean.clone(), noise.clone(), 700);
            let target = schedule.target(clean.clone(), noise.clone(), 700);
            let found = schedule.to_epsilon(target, noised, 700);
            let error = (found - noise.clone()).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{prediction_type:?}: {error}");
        }
    }

    #[test]
    fn sigma_lies_between_those_of_its_neighbours() {
        let schedule = NoiseSchedule::new(&SchedulerConfig::default());
        let sigmas = schedule.sigmas();
        assert_eq!(schedule.sigma(500.0), sigmas[500]);
        assert_eq!(schedule.sigma(500.5), (sigmas[500] + sigmas[501]) / 2.0);
        assert_eq!(schedule.sigma(5000.0), sigmas[sigmas.len() - 1]);
    }
}
