//! The random numbers of a probe.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ProbeConfig;

/// The uniform random numbers of a probe, addressed by what they are for, so that neither order
/// nor batching nor a resumed run changes them.
pub trait UniformDraws {
    /// In [0, 1): the initial weight of `block` at `step` in `round`.
    fn initial(&mut self, round: usize, step: usize, blocks: usize) -> Vec<f64>;

    /// In [0, 1), one per block: a candidate's perturbation.
    fn perturbation(&mut self, at: DrawAddress, blocks: usize) -> Vec<f64>;
}

/// What a perturbation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawAddress {
    /// Run.
    pub round: usize,
    /// Epoch.
    pub epoch: usize,
    /// Batch of samples.
    pub batch: usize,
    /// Inference step.
    pub step: usize,
    /// Candidate.
    pub candidate: usize,
}

/// Draws from a counter-based generator: every address has a stream of its own.
#[derive(Debug, Clone, Copy)]
pub struct CounterDraws {
    seed: u64,
}

impl CounterDraws {
    /// The draws of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draws of a probe of `prompt`: those of the settings' seed where prompts share them, else
    /// the prompt's own.
    pub fn for_prompt(config: &ProbeConfig, prompt: &str) -> Self {
        if config.shared_draws {
            return Self::new(config.seed);
        }
        let hash = files::sha256_bytes(prompt);
        // 16 hexadecimal digits of a hash are a number.
        Self::new(config.seed ^ u64::from_str_radix(&hash[..16], 16).unwrap_or_default())
    }

    fn stream(&self, kind: u64, address: [usize; 5], count: usize) -> Vec<f64> {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8] = kind as u8;
        for (i, value) in address.into_iter().enumerate() {
            key[9 + 4 * i..13 + 4 * i].copy_from_slice(&(value as u32).to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        (0..count).map(|_| rng.random::<f64>()).collect()
    }
}

impl UniformDraws for CounterDraws {
    fn initial(&mut self, round: usize, step: usize, blocks: usize) -> Vec<f64> {
        self.stream(0, [round, step, 0, 0, 0], blocks)
    }

    fn perturbation(&mut self, at: DrawAddress, blocks: usize) -> Vec<f64> {
        let DrawAddress { round, epoch, batch, step, candidate } = at;
        self.stream(1, [round, epoch, batch, step, candidate], blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_prompt_draws_are_shared_only_where_the_settings_say_so() {
        let of = |config: &ProbeConfig, prompt| {
            CounterDraws::for_prompt(config, prompt).initial(0, 0, 3)
        };
        let (own, shared) = (ProbeConfig::paper(), ProbeConfig::reference());
        assert_eq!(of(&own, "a fox"), of(&own, "a fox"));
        assert_ne!(of(&own, "a fox"), of(&own, "a box"));
        assert_ne!(of(&own, "a fox"), of(&ProbeConfig { seed: 1, ..own.clone() }, "a fox"));
        assert_eq!(of(&shared, "a fox"), of(&shared, "a box"));
        assert_eq!(of(&shared, "a fox"), CounterDraws::new(shared.seed).initial(0, 0, 3));
    }
}
