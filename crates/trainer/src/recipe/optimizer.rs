//! The optimiser's recipe: AdamW with a learning-rate schedule and a moving average.

use serde::{Deserialize, Serialize};

/// AdamW, its schedule, and how often things are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerRecipe {
    /// Steps in all.
    pub steps: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up, at most `steps`; a cosine to 0 follows.
    pub warmup: usize,
    /// Adam's β₁ and β₂, each in [0, 1).
    pub betas: [f64; 2],
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub gradient_clip: f64,
    /// Decay of the moving average, in [0, 1).
    pub ema: f64,
    /// Steps between checkpoints; the only field that does not change the result.
    pub checkpoint_every: usize,
}

impl OptimizerRecipe {
    /// The learning rate at `step`, counted from 0.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.learning_rate * (step + 1) as f64 / self.warmup as f64;
        }
        let rest = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / rest).min(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// The moving average's decay at `step`: short-sighted at first, so that the random initial
    /// weights are forgotten.
    pub fn ema_at(&self, step: usize) -> f64 {
        self.ema.min((1.0 + step as f64) / (10.0 + step as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_warms_up_and_falls_to_zero() {
        let recipe = OptimizerRecipe {
            steps: 100,
            batch: 2,
            learning_rate: 1.0,
            warmup: 10,
            betas: [0.9, 0.99],
            weight_decay: 0.0,
            gradient_clip: 1.0,
            ema: 0.999,
            checkpoint_every: 10,
        };
        assert_eq!(recipe.learning_rate_at(0), 0.1);
        assert_eq!(recipe.learning_rate_at(10), 1.0);
        // Half-way down the cosine.
        assert!((recipe.learning_rate_at(55) - 0.5).abs() < 1e-15);
        assert!(recipe.learning_rate_at(99) < 1e-3);
        assert!(recipe.ema_at(0) < 0.2 && recipe.ema_at(100_000) == 0.999);
    }
}
