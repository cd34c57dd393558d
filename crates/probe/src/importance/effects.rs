//! What a block does to the result: the ground truth that estimates of importance are judged by.

use burn::tensor::Tensor;
use pipeline::{Pipeline, SampleRequest, StepInfo};
use reweight::{BlockWeights, Policy, StepMatrix};
use serde::{Deserialize, Serialize};

use super::estimate::SKIPPED;
use crate::ProbeError;

/// The weight that a block is lowered to.
pub const LOWERED: f64 = 0.95;

/// What is done to one block at one step only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Its weight is [`LOWERED`].
    Lower,
    /// It is skipped.
    Skip,
}

impl Effect {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Lower, Self::Skip];

    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Skip => "skip",
        }
    }

    /// The policy that does it.
    fn policy(self, steps: usize, blocks: usize, at: [usize; 2]) -> Result<Policy, ProbeError> {
        let only = |value: f64, otherwise: f64| {
            let value = move |step, block| if [step, block] == at { value } else { otherwise };
            StepMatrix::from_fn(steps, blocks, value)
        };
        let weights = match self {
            Self::Lower => BlockWeights::new(only(LOWERED, 1.0))?,
            Self::Skip => {
                BlockWeights::vanilla(steps, blocks).with_thresholds(only(SKIPPED, 0.0))?
            }
        };
        Ok(weights.into())
    }
}

/// Where one sample ends, vanilla and under an effect on each block at each step.
#[derive(Debug, Clone)]
pub struct Effects {
    /// Mean squared distance of the final latents to the vanilla ones.
    pub distances: StepMatrix,
    /// Final latents, `[1 + steps · blocks, channels, height, width]`: the vanilla ones, then block
    /// by block of step by step.
    pub latents: Tensor<4>,
    /// Samples the U-Net was run on.
    pub unet_samples: usize,
}

impl Effects {
    /// Runs `effect` on each block at each step of one sample.
    ///
    /// It takes m partial trajectories a step, T(T + 1)/2 · m samples of the U-Net in all (twice as
    /// many with guidance): a measure for estimates, not one of them. `unet_batch` is the largest
    /// number of samples of one U-Net call; results do not depend on it. `before_step` sees each step
    /// before it is taken.
    ///
    /// # Errors
    /// As [`Pipeline::sample_branches`].
    pub fn measure(
        pipeline: &Pipeline,
        request: &SampleRequest,
        effect: Effect,
        unet_batch: usize,
        before_step: &mut dyn FnMut(StepInfo),
    ) -> Result<Self, ProbeError> {
        let (steps, blocks) = (request.calls()?, pipeline.unet().config().num_attention_blocks());
        let at = (0..steps).flat_map(|step| (0..blocks).map(move |block| [step, block]));
        let policies =
            at.map(|at| effect.policy(steps, blocks, at)).collect::<Result<Vec<_>, _>>()?;
        let (latents, unet_samples) =
            pipeline.sample_branches(request, &policies, unet_batch, before_step)?;
        let values: Vec<f32> = latents.clone().into_data().iter::<f32>().collect();
        let count = values.len() / (1 + policies.len());
        let (vanilla, others) = values.split_at(count);
        let distances = StepMatrix::from_fn(steps, blocks, |step, block| {
            let start = (step * blocks + block) * count;
            let pairs = others[start..start + count].iter().zip(vanilla);
            let squares = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            squares.sum::<f64>() / count as f64
        });
        Ok(Self { distances, latents, unet_samples })
    }
}
