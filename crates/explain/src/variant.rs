//! What is done to one block: how far it is turned, and when.

use reweight::{BlockWeights, Policy, ReweightError, StepMatrix, StepWindow};
use serde::{Deserialize, Serialize};

/// Factors of a block's output that pictures are made with; at 0 the block is skipped.
pub const FACTORS: [f64; 4] = [0.0, 0.9, 1.1, 1.2];

/// A third of the run, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// All steps.
    All,
    /// The first third.
    Early,
    /// The second third.
    Middle,
    /// The last third.
    Late,
}

impl Window {
    /// All of them.
    pub const EVERY: [Self; 4] = [Self::All, Self::Early, Self::Middle, Self::Late];

    /// As the page names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Early => "early",
            Self::Middle => "middle",
            Self::Late => "late",
        }
    }

    /// The fractions of the run.
    pub fn fractions(self) -> StepWindow {
        let [start, end] = match self {
            Self::All => [0.0, 1.0],
            Self::Early => [0.0, 1.0 / 3.0],
            Self::Middle => [1.0 / 3.0, 2.0 / 3.0],
            Self::Late => [2.0 / 3.0, 1.0],
        };
        StepWindow { start, end }
    }

    /// The steps of a run of `steps` that lie in it.
    pub fn steps(self, steps: usize) -> Vec<usize> {
        (0..steps).filter(|step| self.fractions().contains(*step, steps)).collect()
    }
}

/// One block, turned by a factor in a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Index of the block.
    pub block: usize,
    /// When.
    pub window: Window,
    /// Factor of the block's output, one of [`FACTORS`].
    pub factor: f64,
}

impl Variant {
    /// Every variant of one block whose window has a step, in the order of the page.
    pub fn of_block(block: usize, steps: usize) -> Vec<Self> {
        let windows = Window::EVERY.into_iter().filter(|window| !window.steps(steps).is_empty());
        windows.flat_map(|window| FACTORS.map(|factor| Self { block, window, factor })).collect()
    }

    /// The policy that does it, in a run of `steps` steps of a U-Net with `blocks` blocks.
    ///
    /// # Errors
    /// [`ReweightError`] for a factor that is no weight.
    pub fn policy(&self, steps: usize, blocks: usize) -> Result<Policy, ReweightError> {
        let within = |step: usize, block: usize| {
            block == self.block && self.window.fractions().contains(step, steps)
        };
        let filled = |inside: f64, outside: f64| {
            let value = |step, block| if within(step, block) { inside } else { outside };
            StepMatrix::from_fn(steps, blocks, value)
        };
        // A weight of 1 is below this threshold: the block is skipped.
        const SKIP: f64 = 2.0;
        Ok(match self.factor {
            0.0 => BlockWeights::vanilla(steps, blocks).with_thresholds(filled(SKIP, 0.0))?.into(),
            factor => BlockWeights::new(filled(factor, 1.0))?.into(),
        })
    }

    /// Name of its picture of a seed.
    pub fn file(&self, seed: u64) -> String {
        let Self { block, window, factor } = self;
        format!("{seed}-block{block}-{}-x{factor}.png", window.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_share_out_the_steps() {
        for steps in 1..30 {
            let thirds = [Window::Early, Window::Middle, Window::Late];
            let together: Vec<usize> =
                thirds.into_iter().flat_map(|window| window.steps(steps)).collect();
            assert_eq!(together, (0..steps).collect::<Vec<_>>());
            assert_eq!(Window::All.steps(steps).len(), steps);
        }
        // One step is early; nothing is done in the middle of it.
        assert_eq!(Variant::of_block(0, 1).len(), 2 * FACTORS.len());
        assert_eq!(Variant::of_block(0, 3).len(), 4 * FACTORS.len());
    }

    #[test]
    fn policies_touch_one_block_in_its_window() {
        let variant = Variant { block: 1, window: Window::Late, factor: 1.2 };
        let weights = variant.policy(3, 2).unwrap().blocks.unwrap();
        assert_eq!(weights.weights().values(), [1.0, 1.0, 1.0, 1.0, 1.0, 1.2]);
        let skipped = Variant { factor: 0.0, ..variant }.policy(3, 2).unwrap().blocks.unwrap();
        assert_eq!(skipped.weights().values(), [1.0; 6]);
        assert_eq!(skipped.thresholds().values(), [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
        assert_eq!(variant.file(7), "7-block1-late-x1.2.png");
    }
}
