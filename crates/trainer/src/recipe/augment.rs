//! Variants of the pictures.

use serde::{Deserialize, Serialize};

/// How pictures are varied before they are encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentRecipe {
    /// Variants of each picture, the first as it is.
    pub variants: usize,
    /// Whether every second variant is mirrored.
    pub mirror: bool,
    /// Words of captions whose pictures are never mirrored.
    #[serde(default)]
    pub never_mirrored: Vec<String>,
    /// Largest shift on the white ground, in pixels of the latents.
    pub shift: usize,
}

impl Default for AugmentRecipe {
    fn default() -> Self {
        Self { variants: 1, mirror: false, never_mirrored: Vec::new(), shift: 0 }
    }
}
