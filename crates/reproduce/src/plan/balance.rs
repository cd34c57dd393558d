//! How much of the work falls to each of several runs, before anything is done.

use super::part::Part;
use super::share::Shares;
use super::study::Study;
use super::units::units;
use crate::ReproduceError;

/// The work of several runs, in samples of the U-Net, with one for each unit: decoding and scoring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What several of them need, and is done before.
    pub common: u64,
    /// What falls to each.
    pub shards: Vec<u64>,
}

impl Balance {
    /// That of `count` runs of the parts; nothing counts as done.
    ///
    /// # Errors
    /// [`ReproduceError`] where the parts' units cannot be listed.
    pub fn new(study: &Study, parts: &[Part], count: usize) -> Result<Self, ReproduceError> {
        let shares = Shares::new(study, parts, units(study, parts, None)?);
        let (common, shards) = shares.loads(study, count);
        Ok(Self { common, shards })
    }
}
