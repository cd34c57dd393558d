//! What is done to a U-Net during a run: policies, for one sample and for batches of them.

use serde::{Deserialize, Serialize};
use unet_core::{BlockMode, Intervention};

use crate::freeu::FreeURows;
use crate::{BlockWeights, Composed, FreeU, PolicyRun, ReweightError, StepWeights};

/// Everything that is done to a U-Net during sampling; what a schedule file holds.
///
/// In TOML:
/// ```toml
/// [blocks]
/// weights = [[1.0, 1.1, 1.0], [1.0, 1.05, 1.1]]
///
/// [freeu]
/// b1 = 1.4
/// b2 = 1.6
/// s1 = 0.9
/// s2 = 0.2
/// ```
/// `thresholds` beside `weights` skip a block where `weight + 1e-6 < threshold`; `modes`, rows of
/// `"run"`, `"skip"` and `"reuse"`, skip it, or add again what it added when it last ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Weights and skips of the attention blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BlockWeights>,
    /// FreeU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeu: Option<FreeU>,
}

impl From<BlockWeights> for Policy {
    fn from(blocks: BlockWeights) -> Self {
        Self { blocks: Some(blocks), freeu: None }
    }
}

impl From<FreeU> for Policy {
    fn from(freeu: FreeU) -> Self {
        Self { blocks: None, freeu: Some(freeu) }
    }
}

impl Policy {
    /// Checks that it fits a run of `steps` steps of a U-Net with `blocks` attention blocks.
    ///
    /// # Errors
    /// [`ReweightError`] naming what differs.
    pub fn check_fits(&self, steps: usize, blocks: usize) -> Result<(), ReweightError> {
        if let Some(freeu) = &self.freeu {
            freeu.check()?;
        }
        self.blocks.as_ref().map_or(Ok(()), |weights| weights.check_fits(steps, blocks))
    }

    /// The intervention of step `step` of `steps`, for every sample of a batch alike; none where
    /// the step stays as it is.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where the weights are for another number of steps;
    /// [`ReweightError::Alone`] where the step reuses residuals of earlier ones.
    pub fn at_step(
        &self,
        step: usize,
        steps: usize,
    ) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
        intervention(&[(self, step)], steps)
    }

    /// All `steps` steps in one forward pass: sample `s` of a batch is treated as at step
    /// `s mod steps`; none where all stay as they are.
    ///
    /// # Errors
    /// As [`Self::at_step`].
    pub fn at_all_steps(
        &self,
        steps: usize,
    ) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
        let rows: Vec<_> = (0..steps).map(|step| (self, step)).collect();
        intervention(&rows, steps)
    }

    /// A policy for each sample of a batch.
    pub fn for_batch(policies: impl IntoIterator<Item = Self>) -> BatchPolicy {
        BatchPolicy { policies: policies.into_iter().collect() }
    }
}

/// What is done to the U-Net for each sample of a batch: nothing, the same for all, or what each
/// sample's own policy says. A sample is treated as it would be alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchPolicy {
    policies: Vec<Policy>,
}

impl From<Policy> for BatchPolicy {
    fn from(policy: Policy) -> Self {
        Self { policies: vec![policy] }
    }
}

impl From<&Policy> for BatchPolicy {
    fn from(policy: &Policy) -> Self {
        policy.clone().into()
    }
}

impl BatchPolicy {
    /// The U-Net as it is.
    pub fn vanilla() -> Self {
        Self::default()
    }

    /// Checks that it fits a run of `samples` samples in `steps` steps of a U-Net with `blocks`
    /// attention blocks.
    ///
    /// # Errors
    /// [`ReweightError`] naming what differs.
    pub fn check_fits(
        &self,
        samples: usize,
        steps: usize,
        blocks: usize,
    ) -> Result<(), ReweightError> {
        let count = self.policies.len();
        if count > 1 && count != samples {
            return Err(ReweightError::Value(format!(
                "expected one policy, or one for each of {samples} samples, found {count}"
            )));
        }
        self.policies.iter().try_for_each(|policy| policy.check_fits(steps, blocks))
    }

    /// Checks that a run may leave out the steps before `first`.
    ///
    /// # Errors
    /// [`ReweightError::Reuse`] where what a block added in one of them is reused.
    pub fn check_begins_at(&self, first: usize) -> Result<(), ReweightError> {
        let mut weights = self.policies.iter().filter_map(|policy| policy.blocks.as_ref());
        weights.try_for_each(|weights| weights.check_reuse(first))
    }

    /// The intervention of step `step` of `steps` by itself: sample `s` of a forward pass (which
    /// guidance gives twice as many as there are policies) is treated as policy `s mod policies`
    /// says; none where all stay as they are.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where weights are for other numbers of steps or blocks;
    /// [`ReweightError::Alone`] where the step reuses residuals of earlier ones, for which there is
    /// [`Self::run`].
    pub fn at_step(
        &self,
        step: usize,
        steps: usize,
    ) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
        let rows: Vec<_> = self.policies.iter().map(|policy| (policy, step)).collect();
        intervention(&rows, steps)
    }

    /// A run of `steps` steps under it, in which residuals are kept from step to step.
    pub fn run(&self, steps: usize) -> PolicyRun<'_> {
        PolicyRun::new(&self.policies, steps)
    }
}

/// The intervention of a forward pass whose samples are each at a step of a policy, and take nothing
/// of other steps.
fn intervention(
    rows: &[(&Policy, usize)],
    steps: usize,
) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
    let weights = match (step_weights(rows, steps)?, rows.first()) {
        (Some(weights), Some((_, step))) => Some(weights.alone(*step)?),
        _ => None,
    };
    let weights = weights.filter(|weights| !weights.is_vanilla());
    let parts = weights.into_iter().fold(Composed::new(), Composed::with);
    let parts = with_freeu(parts, rows, steps);
    Ok((!parts.is_empty()).then(|| Box::new(parts) as Box<dyn Intervention>))
}

/// `parts`, and the FreeU of each row where any has it at its step.
pub(crate) fn with_freeu<'a>(
    parts: Composed<'a>,
    rows: &[(&Policy, usize)],
    steps: usize,
) -> Composed<'a> {
    let active = |(policy, step): &(&Policy, usize)| {
        policy.freeu.filter(|freeu| freeu.window.contains(*step, steps))
    };
    let freeu = FreeURows(rows.iter().map(active).collect());
    if freeu.is_vanilla() { parts } else { parts.with(freeu) }
}

/// What is done in each row; a policy without weights leaves its samples as they are.
pub(crate) fn step_weights(
    rows: &[(&Policy, usize)],
    steps: usize,
) -> Result<Option<StepWeights>, ReweightError> {
    let mut with_blocks = rows.iter().filter_map(|(policy, _)| policy.blocks.as_ref());
    let Some(blocks) = with_blocks.next().map(BlockWeights::blocks) else { return Ok(None) };
    let (mut weights, mut modes) = (Vec::new(), Vec::new());
    for (policy, step) in rows {
        match &policy.blocks {
            Some(schedule) => {
                schedule.check_fits(steps, blocks)?;
                weights.push(schedule.weights()[*step].to_vec());
                modes.push(schedule.step_modes(*step));
            }
            None => {
                weights.push(vec![1.0; blocks]);
                modes.push(vec![BlockMode::Run; blocks]);
            }
        }
    }
    Ok(Some(StepWeights::with_modes(weights, modes)))
}
