//! What a run costs, and what is saved by blocks that do not run.

use unet_core::UNet2DConditionConfig;

use crate::{PruningError, SkipSets};

/// By how much a budget may be exceeded: rounding.
const ROUNDING: f64 = 1e-9;

/// What the U-Net costs at one step, and what is saved there by each block that does not run, in
/// any unit: multiply-accumulates, nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipCosts {
    step: u64,
    blocks: Vec<u64>,
}

impl SkipCosts {
    /// The cost of a step, and what each block saves.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where the blocks save more than there is, or there is none.
    pub fn new(step: u64, blocks: Vec<u64>) -> Result<Self, PruningError> {
        let sum = blocks.iter().try_fold(0u64, |sum, saving| sum.checked_add(*saving));
        match sum {
            Some(sum) if sum <= step && sum > 0 => Ok(Self { step, blocks }),
            _ => Err(PruningError::Settings(format!(
                "expected blocks that save something, and no more than a step's {step}, found \
                 {blocks:?}"
            ))),
        }
    }

    /// Multiply-accumulates for one sample of latents of that height and width and so many text
    /// tokens.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for a U-Net without attention blocks, or too large to count.
    pub fn macs(
        config: &UNet2DConditionConfig,
        latents: [usize; 2],
        tokens: usize,
    ) -> Result<Self, PruningError> {
        let parts = config.costs(latents, tokens);
        let of = |path: &str| parts.iter().find(|part| part.path == path);
        let saved = |path: &str| of(path).map_or(0, |part| part.transformer_macs);
        let blocks = config.blocks().iter().map(|block| saved(&block.path)).collect();
        let step = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.macs));
        Self::new(step, blocks)
    }

    /// The cost of a step at which every block runs.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// What each block saves.
    pub fn blocks(&self) -> &[u64] {
        &self.blocks
    }

    /// What a set of blocks saves at a step; bit i of its number is block i.
    pub(super) fn saving(&self, set: usize) -> u64 {
        let members = self.blocks.iter().enumerate().filter(|(block, _)| set >> block & 1 == 1);
        members.map(|(_, saving)| saving).sum()
    }

    /// What is left of the cost of a run, from 0 to 1, where these blocks do not run.
    pub fn share(&self, skips: &SkipSets) -> f64 {
        let saved: u128 = skips
            .steps()
            .iter()
            .flatten()
            .map(|block| u128::from(self.blocks.get(*block).copied().unwrap_or(0)))
            .sum();
        1.0 - saved as f64 / (skips.steps().len() as f64 * self.step as f64)
    }

    /// What is left of the cost of `steps` steps, from 0 to 1, where no block runs at `skippable` of
    /// them.
    pub fn least_share(&self, steps: usize, skippable: usize) -> f64 {
        let most = self.blocks.iter().sum::<u64>() as f64 * skippable as f64;
        1.0 - most / (self.step as f64 * steps as f64)
    }

    /// What `steps` steps must save together to cost at most `budget` of what they do.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where `budget` is not from 0 to 1, or not even all blocks of the
    /// `skippable` steps together save enough.
    pub(super) fn needed(
        &self,
        steps: usize,
        skippable: usize,
        budget: f64,
    ) -> Result<u64, PruningError> {
        if !(0.0..=1.0).contains(&budget) {
            return Err(PruningError::Settings(format!(
                "expected a budget from 0 to 1, as a fraction of the cost, found {budget}"
            )));
        }
        let whole = self.step as f64 * steps as f64;
        // A budget that is the share of some plan asks for what that plan saves, not for one more.
        let needed = (whole * (1.0 - budget - ROUNDING)).ceil().max(0.0);
        if needed > self.blocks.iter().sum::<u64>() as f64 * skippable as f64 {
            return Err(PruningError::Settings(format!(
                "expected a budget of at least {:.4}, with no block run at {skippable} of {steps} \
                 steps, found {budget}",
                self.least_share(steps, skippable)
            )));
        }
        Ok(needed as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_and_share_agree() {
        let costs = SkipCosts::new(100, vec![10, 30]).unwrap();
        assert_eq!(costs.needed(2, 2, 0.8).unwrap(), 40);
        let share = |steps| costs.share(&SkipSets::new(2, steps).unwrap());
        assert!((share(vec![vec![0], vec![1]]) - 0.8).abs() < 1e-12);
        assert!((share(vec![vec![], vec![]]) - 1.0).abs() < 1e-12);
        let error = costs.needed(2, 1, 0.7).unwrap_err().to_string();
        assert!(error.contains("at least 0.8000") && error.contains("found 0.7"), "{error}");
        for budget in [-0.1, 1.1, f64::NAN] {
            assert!(costs.needed(2, 2, budget).is_err(), "{budget}");
        }
    }

    #[test]
    fn new_blocks_that_save_nothing_or_too_much_are_refused() {
        for blocks in [vec![], vec![0, 0], vec![60, 60], vec![u64::MAX, 1]] {
            assert!(SkipCosts::new(100, blocks).is_err());
        }
    }

    #[test]
    fn macs_are_those_of_the_transformers_in_the_blocks_order() {
        let sd21 = r#"{"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
            "use_linear_projection": true}"#;
        let config = UNet2DConditionConfig::from_json(sd21, "unet/config.json").unwrap();
        let costs = SkipCosts::macs(&config, [64, 64], 77).unwrap();
        let tens: Vec<u64> =
            costs.blocks().iter().map(|macs| (macs + 5_000_000) / 10_000_000).collect();
        // In hundredths of a GMAC, as `inspect` prints them.
        assert_eq!(tens, [3876, 1987, 1762, 232, 2643, 2980, 5814]);
        assert_eq!(costs.step() / 1_000_000_000, 402);
    }
}
