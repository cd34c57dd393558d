//! A run of a batch, step after step, under policies of which some reuse what blocks added before.

use burn::tensor::Tensor;
use unet_core::{BlockAction, BlockSite, Intervention, TransformerSite};

use crate::policy::{step_weights, with_freeu};
use crate::residuals::Residuals;
use crate::{Composed, Policy, ReweightError, StepWeights};

/// A run under a [`BatchPolicy`](crate::BatchPolicy): its steps are made one after the other, each
/// once, with the same samples in the same order, and what blocks add is kept as long as a later
/// step reuses it.
pub struct PolicyRun<'a> {
    policies: &'a [Policy],
    steps: usize,
    residuals: Residuals,
}

impl<'a> PolicyRun<'a> {
    pub(crate) fn new(policies: &'a [Policy], steps: usize) -> Self {
        Self { policies, steps, residuals: Residuals::default() }
    }

    /// The intervention of a step: sample `s` of a forward pass (which guidance gives twice as many
    /// as there are policies) is treated as policy `s mod policies` says; none where all stay as
    /// they are and nothing is kept.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] where weights are for other numbers of steps or blocks.
    pub fn at_step(
        &self,
        step: usize,
    ) -> Result<Option<Box<dyn Intervention + '_>>, ReweightError> {
        let rows: Vec<_> = self.policies.iter().map(|policy| (policy, step)).collect();
        let mut parts = Composed::new();
        if let Some(weights) = step_weights(&rows, self.steps)? {
            let keep = self.kept_at(step);
            if keep.contains(&true) || !weights.is_vanilla() {
                parts = parts.with(RunStep { weights, keep, residuals: &self.residuals });
            }
        }
        let parts = with_freeu(parts, &rows, self.steps);
        Ok((!parts.is_empty()).then(|| Box::new(parts) as Box<dyn Intervention + '_>))
    }

    /// Whether what each block adds at a step is reused for any sample.
    fn kept_at(&self, step: usize) -> Vec<bool> {
        let mut keep = Vec::new();
        for weights in self.policies.iter().filter_map(|policy| policy.blocks.as_ref()) {
            keep.resize(weights.blocks(), false);
            for (block, keep) in keep.iter_mut().enumerate() {
                *keep |= weights.is_reused(step, block);
            }
        }
        keep
    }
}

/// One step of a run.
struct RunStep<'a> {
    weights: StepWeights,
    /// Of each block.
    keep: Vec<bool>,
    residuals: &'a Residuals,
}

impl Intervention for RunStep<'_> {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let keep = self.keep[site.index];
        BlockAction { keep, ..self.weights.attention_block(site, batch) }
    }

    fn keep_residual(&self, site: TransformerSite, samples: &[usize], residual: Tensor<4>) {
        self.residuals.keep(site, samples, residual);
    }

    fn kept_residual(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
        self.residuals.kept(site, samples)
    }
}
