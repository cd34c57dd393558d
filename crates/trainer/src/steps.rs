//! Training steps: what every stage repeats.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::checkpoint::State;
use crate::optimizer::AdamW;
use crate::shards::Shards;
use crate::{OptimizerRecipe, flat};

/// Steps of AdamW on a module whose parameters require gradients.
pub struct Steps<M> {
    module: M,
    shards: Shards,
    pub(crate) state: State,
}

impl<M: Module + Sync> Steps<M> {
    /// Starts from the module's own parameters.
    pub fn new(module: M) -> Self {
        let optimizer = AdamW::new(flat::parameters(&module));
        Self::resume(module, State { step: 0, optimizer, losses: Vec::new() })
    }

    /// Goes on from `state`.
    pub(crate) fn resume(module: M, state: State) -> Self {
        Self { module, shards: Shards::new(), state }
    }

    /// One update by the sum of what `loss` gives for parts of the batch's samples; returns it, and
    /// the norm of its gradient before clipping. The step counts as done where both are finite.
    pub fn step<F>(&mut self, recipe: &OptimizerRecipe, loss: F) -> (f64, f64)
    where
        F: Fn(&M, Range<usize>) -> Tensor<1> + Sync,
    {
        let State { step, optimizer, losses } = &mut self.state;
        let (value, gradient) =
            self.shards.gradient(&self.module, &optimizer.values, recipe.batch, loss);
        let norm = optimizer.step(recipe, *step, gradient);
        if value.is_finite() && norm.is_finite() {
            losses.push(value as f32);
            *step += 1;
        }
        (value, norm)
    }

    /// The module with the moving average of its parameters, and the loss of every step.
    pub(crate) fn end(self) -> (M, Vec<f32>) {
        (flat::assign(self.module, &self.state.optimizer.average), self.state.losses)
    }
}
