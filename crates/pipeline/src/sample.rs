//! Sampling with a pipeline's U-Net, under policies.

use burn::tensor::{DType, Tensor};
use reweight::BatchPolicy;
use scheduler::SchedulerKind;
use unet_core::Intervention;

use crate::lanes;
use crate::{
    Conditioning, Pipeline, PipelineError, Prediction, SampleRequest, SizeConditioning, Start,
    Trajectory, TrajectoryStep,
};

/// Whether a callback lets the run go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop; the latents so far are returned.
    Stop,
}

impl Pipeline {
    /// The U-Net's prediction for the (already scaled) `input`.
    ///
    /// `conditioning` holds either as many samples as `input`, or twice as many, for guidance with
    /// `scale`.
    pub fn predict(
        &self,
        input: Tensor<4>,
        timestep: f64,
        conditioning: &Conditioning,
        scale: f64,
        sizes: Option<&SizeConditioning>,
        intervention: Option<&dyn Intervention>,
    ) -> Prediction {
        let batch = input.dims()[0];
        let doubled = conditioning.batch() == 2 * batch;
        let input = if doubled { input.repeat_dim(0, 2) } else { input };
        let samples: Vec<usize> = (0..conditioning.batch()).collect();
        let raw =
            self.predict_repeated(input, timestep, conditioning, &samples, sizes, intervention);
        let guided = if doubled {
            let negative = raw.clone().narrow(0, 0, batch);
            let positive = raw.clone().narrow(0, batch, batch);
            negative.clone() + (positive - negative) * scale
        } else {
            raw.clone()
        };
        Prediction { raw, guided }
    }

    /// The U-Net's own prediction in f32 for each of `samples`, which are indices of those that
    /// `input` and `conditioning` hold, and may repeat under different weights: what they have in
    /// common is computed once ([`UNet2DConditionModel::forward_repeated`]).
    ///
    /// [`UNet2DConditionModel::forward_repeated`]: unet_core::UNet2DConditionModel::forward_repeated
    pub fn predict_repeated(
        &self,
        input: Tensor<4>,
        timestep: f64,
        conditioning: &Conditioning,
        samples: &[usize],
        sizes: Option<&SizeConditioning>,
        intervention: Option<&dyn Intervention>,
    ) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let factor = self.vae().config().downscale();
        let picture = SizeConditioning::of_picture([height * factor, width * factor]);
        let added = conditioning.added(sizes.unwrap_or(&picture));
        let unet = self.unet();
        let run = |samples: &[usize], intervention: Option<&dyn Intervention>| {
            let (input, embeds) = (input.clone(), conditioning.embeds.clone());
            unet.forward_repeated(input, &[timestep], embeds, added.as_ref(), samples, intervention)
                .cast(DType::F32)
        };
        if self.in_lanes {
            return lanes::each_part(unet, samples, intervention, run);
        }
        run(samples, intervention)
    }

    /// The noise of which DDIM makes `latents`, `[batch, channels, height, width]` in f32, as far as its
    /// steps can be inverted: with as many of them, under the request's prompts and guidance, its own
    /// noise apart. `on_step` sees each step as it was taken.
    ///
    /// # Errors
    /// [`PipelineError`] for a request that cannot be served, or values that are not finite.
    pub fn invert(
        &self,
        request: &SampleRequest,
        latents: Tensor<4>,
        on_step: &mut dyn FnMut(&TrajectoryStep),
    ) -> Result<Tensor<4>, PipelineError> {
        let scheduler = SchedulerKind::DdimInverse;
        let inverse = SampleRequest { noise: latents, scheduler, ..request.clone() };
        self.sample(&inverse, &BatchPolicy::vanilla(), &mut |step| {
            on_step(step);
            Control::Continue
        })
    }

    /// Denoises the noise of `request` to latents, `[batch, channels, height, width]` in f32, each
    /// sample under its policy.
    ///
    /// `callback` sees each step as it was taken and may stop the run.
    ///
    /// # Errors
    /// [`PipelineError`] for a request that cannot be served, a policy that does not fit it, or
    /// values that are not finite.
    pub fn sample(
        &self,
        request: &SampleRequest,
        policies: &BatchPolicy,
        callback: &mut dyn FnMut(&TrajectoryStep) -> Control,
    ) -> Result<Tensor<4>, PipelineError> {
        self.sample_from(request, None, policies, callback)
    }

    /// [`Self::sample`], without the steps that `start` leaves out. Policies are for all steps, those
    /// that are left out among them.
    ///
    /// # Errors
    /// As [`Self::sample`]; for a start that the request does not allow, or a policy that reuses what
    /// a block added in steps that are left out.
    pub fn sample_from(
        &self,
        request: &SampleRequest,
        start: Option<&Start>,
        policies: &BatchPolicy,
        callback: &mut dyn FnMut(&TrajectoryStep) -> Control,
    ) -> Result<Tensor<4>, PipelineError> {
        let mut trajectory = Trajectory::starting(request, start)?;
        let blocks = self.unet().config().num_attention_blocks();
        policies.check_fits(request.samples(), trajectory.steps(), blocks)?;
        policies.check_begins_at(trajectory.upcoming().map_or(0, |info| info.step))?;
        let (conditioning, scale) = (request.unet_conditioning(), request.guidance_scale());
        let run = policies.run(trajectory.steps());
        while let Some(step) = trajectory.advance(|info, input| {
            let intervention = run.at_step(info.step)?;
            let sizes = request.sizes.as_ref();
            let active = intervention.as_deref();
            Ok::<_, PipelineError>(self.predict(
                input,
                info.timestep,
                &conditioning,
                scale,
                sizes,
                active,
            ))
        })? {
            if callback(&step) == Control::Stop {
                break;
            }
        }
        Ok(trajectory.into_latents())
    }
}
