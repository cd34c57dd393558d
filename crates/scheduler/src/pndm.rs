use burn::tensor::Tensor;

use crate::spacing::timesteps;
use crate::{
    NoiseSchedule, PredictionType, Scheduler, SchedulerConfig, SchedulerError, SchedulerKind,
    StepNoise, TimestepSpacing,
};

/// Pseudo linear multi-step sampling (Liu et al.), without the Runge-Kutta warm-up: the second
/// timestep is visited twice instead.
#[derive(Debug, Clone)]
pub struct Pndm {
    noise: NoiseSchedule,
    prediction_type: PredictionType,
    timesteps: Vec<f64>,
    stride: i64,
    final_alpha_cumprod: f32,
    /// The last predictions, newest first.
    history: Vec<Tensor<4>>,
    /// The sample the repeated step starts from.
    first_sample: Option<Tensor<4>>,
}

impl Pndm {
    /// PNDM with `num_inference_steps` steps as diffusers counts them: one U-Net call more.
    ///
    /// # Errors
    /// [`SchedulerError::Steps`] for 0 steps, or more than there are training timesteps;
    /// [`SchedulerError::Unimplemented`] for predictions of clean samples.
    pub fn new(
        config: &SchedulerConfig,
        num_inference_steps: usize,
    ) -> Result<Self, SchedulerError> {
        config.refuse_sample_prediction(SchedulerKind::Pndm)?;
        let noise = NoiseSchedule::new(config);
        let mut timesteps = timesteps(config, TimestepSpacing::Leading, num_inference_steps, true)?;
        if timesteps.len() > 1 {
            timesteps.insert(2, timesteps[1]);
        }
        let first = noise.alphas_cumprod()[0];
        Ok(Self {
            prediction_type: config.prediction_type,
            timesteps,
            stride: (config.num_train_timesteps / num_inference_steps) as i64,
            final_alpha_cumprod: if config.set_alpha_to_one == Some(true) { 1.0 } else { first },
            noise,
            history: Vec::new(),
            first_sample: None,
        })
    }

    fn alpha(&self, timestep: i64) -> f64 {
        let all = self.noise.alphas_cumprod();
        f64::from(match usize::try_from(timestep) {
            Ok(timestep) => all[timestep.min(all.len() - 1)],
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
}

impl Scheduler for Pndm {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        model_output: Tensor<4>,
        index: usize,
        sample: Tensor<4>,
        _noise: &mut StepNoise<'_>,
    ) -> Tensor<4> {
        let timestep = self.timesteps[index] as i64;
        if index == 0 {
            self.history.clear();
        }
        if index == 1 {
            // The first step once more, now with the mean of its two ends.
            let start = self.first_sample.take().unwrap_or(sample);
            let output = match self.history.first() {
                Some(first) => (model_output + first.clone()) / 2.0,
                None => model_output,
            };
            return self.transfer(start, timestep + self.stride, timestep, output);
        }
        self.history.insert(0, model_output.clone());
        self.history.truncate(4);
        let output = match self.history.as_slice() {
            [a, b] => (a.clone() * 3.0 - b.clone()) / 2.0,
            [a, b, c] => (a.clone() * 23.0 - b.clone() * 16.0 + c.clone() * 5.0) / 12.0,
            [a, b, c, d] => {
                (a.clone() * 55.0 - b.clone() * 59.0 + c.clone() * 37.0 - d.clone() * 9.0) / 24.0
            }
            _ => {
                self.first_sample = Some(sample.clone());
                model_output
            }
        };
        self.transfer(sample, timestep, timestep - self.stride, output)
    }
}
