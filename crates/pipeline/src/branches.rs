//! One sample under many policies: what they have in common is computed once.

use burn::tensor::{Int, Tensor, TensorData};
use reweight::Policy;

use crate::{Pipeline, PipelineError, Prediction, SampleRequest, StepInfo, Trajectory};

impl Pipeline {
    /// Denoises one sample as it is, and once more under each policy: latents
    /// `[1 + policies, channels, height, width]` in f32, the vanilla ones first.
    ///
    /// A policy costs U-Net calls only from the first step on at which it does something; until
    /// then its sample is the vanilla one. `unet_batch` is the largest number of samples of one
    /// U-Net call, guidance counted twice; results do not depend on it. Beside them the number of
    /// samples the U-Net was run on is returned. `before_step` sees each step before it is taken.
    ///
    /// # Errors
    /// [`PipelineError`] for a request of another number of samples than one, or that cannot be
    /// served, a policy that does not fit it or reuses residuals, or values that are not finite.
    pub fn sample_branches(
        &self,
        request: &SampleRequest,
        policies: &[Policy],
        unet_batch: usize,
        before_step: &mut dyn FnMut(StepInfo),
    ) -> Result<(Tensor<4>, usize), PipelineError> {
        if request.samples() != 1 {
            let found = request.samples();
            return Err(PipelineError::Request(format!("expected one sample, found {found}")));
        }
        // The vanilla sample is a branch of its own, the first.
        let mut branches = vec![Policy::default()];
        branches.extend_from_slice(policies);
        let repeated = request.repeated(branches.len());
        let mut trajectory = Trajectory::new(&repeated)?;
        let (steps, blocks) = (trajectory.steps(), self.unet().config().num_attention_blocks());
        branches.iter().try_for_each(|policy| policy.check_fits(steps, blocks))?;
        let mut apart = vec![false; branches.len()];
        apart[0] = true;
        let (mut samples, doubled) = (0, if request.guided() { 2 } else { 1 });
        while trajectory
            .advance(|info, input| {
                before_step(info);
                for (policy, apart) in branches.iter().zip(&mut apart) {
                    *apart = *apart || policy.at_step(info.step, steps)?.is_some();
                }
                let active: Vec<usize> = (0..branches.len()).filter(|at| apart[*at]).collect();
                samples += doubled * active.len();
                let mut parts = Vec::new();
                for chunk in active.chunks((unet_batch / doubled).max(1)) {
                    let policies = Policy::for_batch(chunk.iter().map(|at| branches[*at].clone()));
                    let intervention = policies.at_step(info.step, steps)?;
                    parts.push(self.predict(
                        input.clone().select(0, positions(chunk, &input)),
                        info.timestep,
                        &request.repeated(chunk.len()).unet_conditioning(),
                        request.guidance_scale(),
                        request.sizes.as_ref(),
                        intervention.as_deref(),
                    ));
                }
                let place = |at: usize| active.binary_search(&at).unwrap_or(0);
                let places: Vec<usize> = (0..branches.len()).map(place).collect();
                let joined = Prediction::joined(parts);
                joined.map(|prediction| prediction.selected(&places)).ok_or_else(|| {
                    PipelineError::Request("expected at least one branch, found none".into())
                })
            })?
            .is_some()
        {}
        Ok((trajectory.into_latents(), samples))
    }
}

fn positions(chunk: &[usize], beside: &Tensor<4>) -> Tensor<1, Int> {
    let at: Vec<i64> = chunk.iter().map(|at| *at as i64).collect();
    Tensor::from_data(TensorData::new(at, [chunk.len()]), &beside.device())
}
