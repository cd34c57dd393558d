//! The attention blocks that a student skips at each inference step.

use std::fmt;

use reweight::{BlockWeights, StepMatrix};
use serde::{Deserialize, Serialize};

use crate::PruningError;

/// A threshold no weight reaches: the block is always skipped (Sec. III-G).
pub const SKIP_THRESHOLD: f64 = 1.5;

/// Which blocks are skipped at each step; two of them are equal where the same is skipped.
///
/// Displayed step by step, as `0+1 | 0+2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct SkipSets {
    blocks: usize,
    steps: Vec<Vec<usize>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    blocks: usize,
    steps: Vec<Vec<usize>>,
}

impl TryFrom<Stored> for SkipSets {
    type Error = PruningError;

    fn try_from(Stored { blocks, steps }: Stored) -> Result<Self, PruningError> {
        Self::new(blocks, steps)
    }
}

impl From<SkipSets> for Stored {
    fn from(SkipSets { blocks, steps }: SkipSets) -> Self {
        Self { blocks, steps }
    }
}

impl SkipSets {
    /// The indices of the skipped blocks of each step, in any order, of a model of `blocks` blocks.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where there is no step or block, or an index is not below `blocks`.
    pub fn new(blocks: usize, mut steps: Vec<Vec<usize>>) -> Result<Self, PruningError> {
        if steps.is_empty() || blocks == 0 {
            return Err(PruningError::Settings(format!(
                "expected skips for at least one step and block, found {} steps of {blocks} blocks",
                steps.len()
            )));
        }
        for (step, skipped) in steps.iter_mut().enumerate() {
            skipped.sort_unstable();
            skipped.dedup();
            if let Some(block) = skipped.iter().find(|block| **block >= blocks) {
                return Err(PruningError::Settings(format!(
                    "step {step}: expected to skip blocks below {blocks}, found {block}"
                )));
            }
        }
        Ok(Self { blocks, steps })
    }

    /// Number `m` of blocks of the model.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The skipped blocks of each step, ascending.
    pub fn steps(&self) -> &[Vec<usize>] {
        &self.steps
    }

    /// The thresholds: [`SKIP_THRESHOLD`] where skipped, 0 elsewhere.
    pub fn thresholds(&self) -> StepMatrix {
        StepMatrix::from_fn(self.steps.len(), self.blocks, |step, block| {
            if self.steps[step].contains(&block) { SKIP_THRESHOLD } else { 0.0 }
        })
    }

    /// All weights 1, with these thresholds: what the student's U-Net is run under.
    ///
    /// # Errors
    /// [`PruningError::Reweight`], which skip sets that exist do not give.
    pub fn block_weights(&self) -> Result<BlockWeights, PruningError> {
        let vanilla = BlockWeights::vanilla(self.steps.len(), self.blocks);
        Ok(vanilla.with_thresholds(self.thresholds())?)
    }
}

impl fmt::Display for SkipSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, skipped) in self.steps.iter().enumerate() {
            let blocks: Vec<String> = skipped.iter().map(usize::to_string).collect();
            let separator = if step == 0 { "" } else { " | " };
            write!(f, "{separator}{}", blocks.join("+"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_order_and_repetition_do_not_matter() {
        let skips = SkipSets::new(3, vec![vec![2, 0], vec![]]).unwrap();
        assert_eq!(skips, SkipSets::new(3, vec![vec![0, 2, 0], vec![]]).unwrap());
        assert_eq!(skips.thresholds().values(), [1.5, 0.0, 1.5, 0.0, 0.0, 0.0]);
        assert_eq!(SkipSets::new(3, vec![vec![2, 0], vec![1]]).unwrap().to_string(), "0+2 | 1");
        let weights = skips.block_weights().unwrap();
        assert_eq!(weights.at_step(0).unwrap().skipped(0), [true, false, true]);
        assert_eq!(weights.at_step(1).unwrap().skipped(0), [false; 3]);
    }

    #[test]
    fn new_a_block_that_is_not_there_is_refused_in_files_as_well() {
        let error = SkipSets::new(3, vec![vec![0], vec![3]]).unwrap_err().to_string();
        assert!(error.contains("step 1") && error.contains("below 3, found 3"), "{error}");
        assert!(SkipSets::new(3, vec![]).is_err() && SkipSets::new(0, vec![vec![]]).is_err());
        let read = |text| serde_json::from_str::<SkipSets>(text);
        assert!(read(r#"{"blocks": 3, "steps": [[7]]}"#).is_err());
        let skips = SkipSets::new(3, vec![vec![0], vec![2]]).unwrap();
        assert_eq!(read(&serde_json::to_string(&skips).unwrap()).unwrap(), skips);
    }
}
