//! What is held out of every training for measurement.

use serde::{Deserialize, Serialize};

/// A seeded draw of pairs of concept and style that no training sees.
///
/// The text-to-image model, the model distilled from it and the scorer that measures them share
/// one draw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutRecipe {
    /// Number of pairs, each of another concept.
    pub pairs: usize,
    /// Seed of the draw.
    pub seed: u64,
}
