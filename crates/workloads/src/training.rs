//! A training step as the trainer takes it.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use trainer::{OptimizerRecipe, Steps};
use unet_core::{UNet2DConditionConfig, UNet2DConditionModel};

use crate::normal;

/// A U-Net with random weights, and a batch that it learns to predict noise from.
pub struct TrainingStep {
    steps: Steps<UNet2DConditionModel>,
    recipe: OptimizerRecipe,
    sample: Tensor<4>,
    context: Tensor<3>,
    noise: Tensor<4>,
}

impl TrainingStep {
    /// A batch of latents of height and width `side` with texts of so many tokens, on `device`.
    pub fn new(
        config: &UNet2DConditionConfig,
        batch: usize,
        (side, tokens): (usize, usize),
        device: &Device,
    ) -> Self {
        let device = &device.clone().autodiff();
        let recipe = OptimizerRecipe {
            steps: 100,
            batch,
            learning_rate: 1e-4,
            warmup: 0,
            betas: [0.9, 0.999],
            weight_decay: 0.01,
            gradient_clip: 1.0,
            ema: 0.999,
            checkpoint_every: 100,
        };
        Self {
            steps: Steps::new(config.init(device)),
            recipe,
            sample: normal([batch, config.in_channels, side, side], device),
            context: normal([batch, tokens, config.cross_attention_dim], device),
            noise: normal([batch, config.in_channels, side, side], device),
        }
    }

    /// Loss, gradients and AdamW; returns the loss and the gradient's norm.
    pub fn run(&mut self) -> (f64, f64) {
        let Self { steps, recipe, sample, context, noise } = self;
        steps.step(recipe, |model: &UNet2DConditionModel, samples: Range<usize>| {
            let context = context.clone().slice(samples.clone());
            let input = sample.clone().slice(samples.clone());
            let output = model.forward(input, &[500.0], context, None, None);
            let share = samples.len() as f32 / recipe.batch as f32;
            (output - noise.clone().slice(samples)).square().mean() * share
        })
    }
}
