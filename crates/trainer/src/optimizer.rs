//! AdamW over all parameters as one vector.

use kernels::optimizer::{AdamWState, AdamWStep, norm, scale};

use crate::OptimizerRecipe;

/// What an update of AdamW multiplies with, besides the decays of its moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors {
    /// The learning rate by what the first moments lack of their sum.
    pub(crate) scale: f64,
    /// One by what the second moments lack of theirs.
    pub(crate) unbias: f64,
    /// Share that the values lose to weight decay.
    pub(crate) shrink: f64,
    /// Decay of the moving average.
    pub(crate) keep: f64,
}

impl Factors {
    /// Those of `step`, counted from 0.
    pub(crate) fn at(recipe: &OptimizerRecipe, step: usize) -> Self {
        let [beta1, beta2] = recipe.betas;
        let count = step as i32 + 1;
        let rate = recipe.learning_rate_at(step);
        Self {
            scale: rate / (1.0 - beta1.powi(count)),
            unbias: 1.0 / (1.0 - beta2.powi(count)),
            shrink: rate * recipe.weight_decay,
            keep: recipe.ema_at(step),
        }
    }
}

/// AdamW over one flat vector, with gradient clipping and an exponential moving average.
///
/// Flat, because a small model has hundreds of tiny tensors: one pass over a vector costs a
/// fraction of an optimiser step per tensor, and a checkpoint is four vectors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdamW {
    /// Parameters.
    pub(crate) values: Vec<f32>,
    /// Moving average of the parameters; what is exported.
    pub(crate) average: Vec<f32>,
    /// First moments.
    pub(crate) momentum: Vec<f32>,
    /// Second moments.
    pub(crate) variance: Vec<f32>,
}

impl AdamW {
    pub(crate) fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { average: values.clone(), momentum: zeros.clone(), variance: zeros, values }
    }

    /// One update with `gradient`, `step` counted from 0. Returns the gradient's norm.
    pub(crate) fn step(
        &mut self,
        recipe: &OptimizerRecipe,
        step: usize,
        mut gradient: Vec<f32>,
    ) -> f64 {
        let norm = norm(&gradient);
        if norm > recipe.gradient_clip {
            scale(&mut gradient, (recipe.gradient_clip / norm) as f32);
        }
        let factors = Factors::at(recipe, step);
        let update = AdamWStep {
            betas: recipe.betas.map(|beta| beta as f32),
            scale: factors.scale as f32,
            unbias: factors.unbias as f32,
            decay: 1.0 - factors.shrink as f32,
            keep: factors.keep as f32,
        };
        let state = AdamWState {
            values: &mut self.values,
            average: &mut self.average,
            momentum: &mut self.momentum,
            variance: &mut self.variance,
        };
        update.apply(state, &gradient);
        norm
    }
}
