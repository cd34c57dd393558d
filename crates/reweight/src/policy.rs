//! What is done to a U-Net during a run: policies, for one sample and for batches of them.

use serde::{Deserialize, Serialize};
use unet_core::Intervention;

use crate::freeu::FreeURows;
use crate::{BlockWeights, Composed, FreeU, ReweightError, StepWeights};

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
    /// [`ReweightError::Mismatch`] where the weights are for another number of steps.
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

    /// The intervention of step `step` of `steps`: sample `s` of a forward pass (which guidance
    /// gives twice as many as there are policies) is treated as policy `s mod policies` says; none
    /// where all stay as they are.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where weights are for other numbers of steps or blocks.
    pub fn at_step(
        &self,
        step: usize,
        steps: usize,
    ) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
        let rows: Vec<_> = self.policies.iter().map(|policy| (policy, step)).collect();
        intervention(&rows, steps)
    }
}

/// The intervention of a forward pass whose samples are each at a step of a policy.
fn intervention(
    rows: &[(&Policy, usize)],
    steps: usize,
) -> Result<Option<Box<dyn Intervention>>, ReweightError> {
    let mut parts = Composed::new();
    if let Some(weights) = step_weights(rows, steps)?.filter(|weights| !weights.is_vanilla()) {
        parts = parts.with(weights);
    }
    let active = |(policy, step): &(&Policy, usize)| {
        policy.freeu.filter(|freeu| freeu.window.contains(*step, steps))
    };
    let freeu = FreeURows(rows.iter().map(active).collect());
    if !freeu.is_vanilla() {
        parts = parts.with(freeu);
    }
    Ok((!parts.is_empty()).then(|| Box::new(parts) as Box<dyn Intervention>))
}

/// The weights and thresholds of each row; a policy without any leaves its samples as they are.
fn step_weights(
    rows: &[(&Policy, usize)],
    steps: usize,
) -> Result<Option<StepWeights>, ReweightError> {
    let mut with_blocks = rows.iter().filter_map(|(policy, _)| policy.blocks.as_ref());
    let Some(blocks) = with_blocks.next().map(BlockWeights::blocks) else { return Ok(None) };
    let (mut weights, mut thresholds) = (Vec::new(), Vec::new());
    for (policy, step) in rows {
        match &policy.blocks {
            Some(schedule) => {
                schedule.check_fits(steps, blocks)?;
                weights.push(schedule.weights()[*step].to_vec());
                thresholds.push(schedule.thresholds()[*step].to_vec());
            }
            None => {
                weights.push(vec![1.0; blocks]);
                thresholds.push(vec![0.0; blocks]);
            }
        }
    }
    Ok(Some(StepWeights::new(weights, thresholds)))
}
