//! PNDM, with its Runge-Kutta steps or without (PLMS).

use burn::tensor::Tensor;

use crate::spacing::{check_steps, timesteps};
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// Steps that the Runge-Kutta method takes first, so that the multi-step formula has its history.
const RUNGE_KUTTA_STEPS: usize = 3;

/// Pseudo numerical methods for diffusion models (Liu et al., Algorithm 2): three Runge-Kutta steps
/// of four U-Net calls each, then linear multi-steps.
///
/// Where the configuration says `skip_prk_steps`, the second timestep is visited twice instead.
#[derive(Debug, Clone)]
pub struct Pndm {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    /// U-Net calls of the Runge-Kutta steps; 0 where they are skipped.
    runge_kutta_calls: usize,
    stride: i64,
    final_alpha_cumprod: f32,
    /// The last predictions at the beginning of a step, newest first.
    history: Vec<Tensor<4>>,
    /// The sample that the present Runge-Kutta step, or the repeated step, starts from.
    start: Option<Tensor<4>>,
    /// Weighted sum of the present Runge-Kutta step's predictions.
    slope: Option<Tensor<4>>,
    /// Where the run began: 0, unless it begins with a picture.
    begin: usize,
    /// The call that follows the last one.
    next: usize,
}

impl Pndm {
    /// PNDM with `num_inference_steps` steps as diffusers counts them: nine U-Net calls more with
    /// Runge-Kutta steps, one more without (none for a single step).
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, fewer than 4 with Runge-Kutta steps, or more than
    /// there are training timesteps; [`SchedulerError::Offset`] for a `steps_offset` that leaves
    /// them; [`SchedulerError::Unimplemented`] for predictions of clean samples. As in diffusers,
    /// `rescale_betas_zero_snr` has no effect.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        let (kind, spacing) = (SchedulerKind::Pndm, TimestepSpacing::Leading);
        config.refuse_sample_prediction(kind)?;
        if !config.skip_prk_steps {
            let fewest = RUNGE_KUTTA_STEPS + 1;
            check_steps(kind, num_inference_steps, fewest, config.num_train_timesteps)?;
        }
        let mut timesteps = timesteps(config, kind, spacing, num_inference_steps, true)?;
        let stride = config.num_train_timesteps / num_inference_steps;
        let mut runge_kutta_calls = 0;
        if config.skip_prk_steps {
            if timesteps.len() > 1 {
                timesteps.insert(2, timesteps[1]);
            }
        } else {
            let half = (stride / 2) as f64;
            let calls: Vec<f64> = timesteps[..=RUNGE_KUTTA_STEPS]
                .windows(2)
                .flat_map(|pair| [pair[0], pair[1] + half, pair[1] + half, pair[1]])
                .collect();
            runge_kutta_calls = calls.len();
            timesteps.splice(..RUNGE_KUTTA_STEPS, calls);
        }
        let unscaled = SchedulerConfig { rescale_betas_zero_snr: false, ..config.clone() };
        let noise = NoiseSchedule::new(&unscaled);
        let first = noise.alpha_cumprod(0);
        Ok(Self {
            prediction_type: config.prediction_type,
            timesteps,
            runge_kutta_calls,
            stride: stride as i64,
            final_alpha_cumprod: if config.set_alpha_to_one == Some(true) { 1.0 } else { first },
            noise,
            history: Vec::new(),
            start: None,
            slope: None,
            begin: 0,
            next: 0,
        })
    }

    fn alpha(&self, timestep: i64) -> f64 {
        f64::from(match usize::try_from(timestep) {
            Ok(timestep) => self.noise.alpha_cumprod(timestep),
            Err(_) => self.final_alpha_cumprod,
        })
    }

    /// The transfer from `timestep` to `previous` (Liu et al., Eq. 11).
    fn transfer(
        &self,
        sample: Tensor<4>,
        timestep: i64,
        previous: i64,
        output: Tensor<4>,
    ) -> Tensor<4> {
        let (now, then) = (self.alpha(timestep), self.alpha(previous));
        let epsilon = match self.prediction_type {
            PredictionType::VPrediction => {
                output * now.sqrt() + sample.clone() * (1.0 - now).sqrt()
            }
            PredictionType::Epsilon | PredictionType::Sample => output,
        };
        let denominator = now * (1.0 - then).sqrt() + (now * (1.0 - now) * then).sqrt();
        sample * (then / now).sqrt() - epsilon * ((then - now) / denominator)
    }

    fn remember(&mut self, model_output: &Tensor<4>) {
        self.history.insert(0, model_output.clone());
        self.history.truncate(4);
    }

    /// One of the four calls of a Runge-Kutta step (Liu et al., Eq. 13). Every one starts from the
    /// step's own sample; the middle two go half a stride, the others are at its ends.
    fn runge_kutta(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
    ) -> Tensor<4> {
        let call = index - self.begin;
        let (step, stage) = (call / 4 * 4, call % 4);
        let half = if stage.is_multiple_of(2) { self.stride / 2 } else { 0 };
        let previous = self.timesteps[index] as i64 - half;
        let sum = |slope: Option<Tensor<4>>, part: Tensor<4>| match slope {
            Some(slope) => slope + part,
            None => part,
        };
        let slope = self.slope.take();
        let output = match stage {
            0 => {
                self.remember(&model_output);
                self.start = Some(sample.clone());
                self.slope = Some(model_output.clone() / 6.0);
                model_output
            }
            1 | 2 => {
                self.slope = Some(sum(slope, model_output.clone() / 3.0));
                model_output
            }
            _ => sum(slope, model_output / 6.0),
        };
        let start = self.start.clone().unwrap_or(sample);
        self.transfer(start, self.timesteps[step] as i64, previous, output)
    }

    /// A linear multi-step (Liu et al., Eq. 12).
    fn multi_step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
    ) -> Tensor<4> {
        let timestep = self.timesteps[index] as i64;
        if index == self.begin + 1 {
            // The first step once more, now with the mean of its two ends.
            let start = self.start.take().unwrap_or(sample);
            let output = match self.history.first() {
                Some(first) => (model_output + first.clone()) / 2.0,
                None => model_output,
            };
            return self.transfer(start, timestep + self.stride, timestep, output);
        }
        self.remember(&model_output);
        let output = match self.history.as_slice() {
            [a, b] => (a.clone() * 3.0 - b.clone()) / 2.0,
            [a, b, c] => (a.clone() * 23.0 - b.clone() * 16.0 + c.clone() * 5.0) / 12.0,
            [a, b, c, d] => {
                (a.clone() * 55.0 - b.clone() * 59.0 + c.clone() * 37.0 - d.clone() * 9.0) / 24.0
            }
            _ => {
                self.start = Some(sample.clone());
                model_output
            }
        };
        self.transfer(sample, timestep, timestep - self.stride, output)
    }
}

impl Scheduler for Pndm {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn noised(&self, clean: Tensor<4>, noise: Tensor<4>, index: usize) -> Option<Tensor<4>> {
        Some(self.noise.add_noise(clean, noise, self.timesteps[index] as usize))
    }

    /// As in diffusers, a run that leaves out steps counts its calls as one that does not: its second
    /// repeats the first, and Runge-Kutta steps start from the first timesteps of all.
    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        _noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        if index == 0 || index != self.next {
            self.history.clear();
            self.begin = index;
        }
        self.next = index + 1;
        if index - self.begin < self.runge_kutta_calls {
            self.runge_kutta(model_output, index, sample)
        } else {
            self.multi_step(model_output, index, sample)
        }
    }
}
