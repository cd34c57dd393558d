//! The one denoising loop: a request's latents, step by step, whoever predicts.

use burn::tensor::{DType, Int, Tensor, TensorData};
use scheduler::{Scheduler, StepNoise};

use crate::start::DRAWS;
use crate::{PipelineError, SampleRequest, Start};

/// One step of a trajectory, before it is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// Call of the U-Net, from 0.
    pub step: usize,
    /// Calls in all.
    pub steps: usize,
    /// Training timestep.
    pub timestep: f64,
    /// Noise level σ, for the schedulers that count in it.
    pub sigma: Option<f32>,
}

/// The U-Net's predictions for a batch.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// As the U-Net gave it: with guidance, negative samples first, then the prompts'.
    pub raw: Tensor<4>,
    /// After guidance, one per sample; what the scheduler is given.
    pub guided: Tensor<4>,
}

impl Prediction {
    /// The predictions for several parts of a batch as one for the whole of it; `None` of no part.
    pub fn joined(parts: Vec<Self>) -> Option<Self> {
        let first = parts.first()?;
        // Negative samples come first, in each part as in the whole.
        let halves = first.raw.dims()[0] / first.guided.dims()[0];
        let half = |part: &Self, half: usize| {
            let count = part.guided.dims()[0];
            part.raw.clone().narrow(0, half * count, count)
        };
        let raw = (0..halves).flat_map(|side| parts.iter().map(move |part| half(part, side)));
        let guided = parts.iter().map(|part| part.guided.clone()).collect();
        Some(Self { raw: Tensor::cat(raw.collect(), 0), guided: Tensor::cat(guided, 0) })
    }

    /// The predictions for those samples, each as often as it is named.
    pub fn selected(self, samples: &[usize]) -> Self {
        let (count, device) = (self.guided.dims()[0], self.guided.device());
        let positions = |halves: usize| {
            let at: Vec<i64> = (0..halves)
                .flat_map(|half| samples.iter().map(move |sample| (half * count + sample) as i64))
                .collect();
            let shape = [at.len()];
            Tensor::<1, Int>::from_data(TensorData::new(at, shape), &device)
        };
        let halves = self.raw.dims()[0] / count;
        Self {
            raw: self.raw.select(0, positions(halves)),
            guided: self.guided.select(0, positions(1)),
        }
    }
}

/// One step of a trajectory, as it was taken.
#[derive(Debug, Clone)]
pub struct TrajectoryStep {
    /// Which step.
    pub info: StepInfo,
    /// What the U-Net was given, `[batch, channels, height, width]`; guidance shows it twice.
    pub input: Tensor<4>,
    /// What was predicted.
    pub prediction: Prediction,
    /// The latents after the step, `[batch, channels, height, width]`.
    pub latents: Tensor<4>,
}

/// Denoises a request's latents step by step; the prediction of each step comes from the caller,
/// so that it may be a U-Net's, one's under an intervention, or one's that is being trained.
pub struct Trajectory<'a> {
    scheduler: Box<dyn Scheduler>,
    fresh_noise: Box<StepNoise<'a>>,
    latents: Tensor<4>,
    step: usize,
}

impl<'a> Trajectory<'a> {
    /// The trajectory before its first step.
    ///
    /// # Errors
    /// [`PipelineError`] for a request that cannot be served.
    pub fn new(request: &'a SampleRequest) -> Result<Self, PipelineError> {
        Self::starting(request, None)
    }

    /// The trajectory before its first step, or before the first that `start` does not leave out:
    /// steps are counted as if none was left out.
    ///
    /// # Errors
    /// [`PipelineError`] for a request that cannot be served, or a start that its scheduler or its
    /// samples do not allow.
    pub fn starting(
        request: &'a SampleRequest,
        start: Option<&Start>,
    ) -> Result<Self, PipelineError> {
        request.check()?;
        let scheduler = request.scheduler_config.build(request.scheduler, request.steps)?;
        let noise = request.noise.clone().cast(DType::F32);
        let Some(start) = start else {
            let latents = noise * scheduler.init_noise_sigma();
            let fresh_noise = request.step_noise(0, 1);
            return Ok(Self { scheduler, fresh_noise, latents, step: 0 });
        };
        let step = start.skipped(request.steps)? * scheduler.calls_per_step();
        let refuse = |reason: String| PipelineError::Request(reason);
        let (expected, found) = (noise.dims(), start.latents.dims());
        if expected != found {
            return Err(refuse(format!(
                "expected latents of {expected:?} to begin with, found {found:?}"
            )));
        }
        let latents = start.latents.clone().cast(DType::F32);
        let latents = scheduler.noised(latents, noise, step).ok_or_else(|| {
            let kind = request.scheduler;
            refuse(format!("{kind} cannot leave out steps, so that no run begins with a picture"))
        })?;
        let fresh_noise = request.step_noise(step, DRAWS);
        Ok(Self { scheduler, fresh_noise, latents, step })
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.scheduler.timesteps().len()
    }

    /// The next step, or `None` after the last.
    pub fn upcoming(&self) -> Option<StepInfo> {
        let (step, steps) = (self.step, self.steps());
        let timestep = *self.scheduler.timesteps().get(step)?;
        let sigma = self.scheduler.sigmas().and_then(|sigmas| sigmas.get(step).copied());
        Some(StepInfo { step, steps, timestep, sigma })
    }

    /// Takes the next step with what `predict` makes of the U-Net's (already scaled) input; `None`
    /// after the last.
    ///
    /// # Errors
    /// What `predict` reports; [`PipelineError::NotFinite`] where its guided prediction, or the
    /// latents after the step, are not finite.
    pub fn advance<E: From<PipelineError>>(
        &mut self,
        predict: impl FnOnce(StepInfo, Tensor<4>) -> Result<Prediction, E>,
    ) -> Result<Option<TrajectoryStep>, E> {
        let Some(info) = self.upcoming() else { return Ok(None) };
        let step = info.step;
        let input = self.scheduler.scale_model_input(self.latents.clone(), step);
        let prediction = predict(info, input.clone())?;
        check_finite(&prediction.guided, step, "the U-Net's prediction")?;
        let (guided, latents) = (prediction.guided.clone(), self.latents.clone());
        self.latents = self.scheduler.step(guided, step, latents, &mut *self.fresh_noise);
        check_finite(&self.latents, step, "the latents")?;
        self.step += 1;
        Ok(Some(TrajectoryStep { info, input, prediction, latents: self.latents.clone() }))
    }

    /// The latents so far, `[batch, channels, height, width]` in f32.
    pub fn into_latents(self) -> Tensor<4> {
        self.latents
    }
}

/// Whether all values are finite: a sum is finite only then.
pub(crate) fn is_finite(tensor: &Tensor<4>) -> bool {
    tensor.clone().sum().into_scalar::<f32>().is_finite()
}

fn check_finite(tensor: &Tensor<4>, step: usize, what: &'static str) -> Result<(), PipelineError> {
    match is_finite(tensor) {
        true => Ok(()),
        false => Err(PipelineError::NotFinite { step, what }),
    }
}
