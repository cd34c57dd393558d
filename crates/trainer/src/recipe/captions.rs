//! Captions that name less than the picture shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often a picture's caption names, instead of the concept, only a keyword, its kind or its
/// colour, so that a prompt leaves something to the seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionsRecipe {
    /// Probability of a keyword.
    pub keyword: f64,
    /// Probability of the kind of thing.
    pub kind: f64,
    /// Probability of the colour, alone or beside the kind; of pictures that have one.
    pub colour: f64,
    /// What categories and subcategories are called in captions.
    #[serde(default)]
    pub phrases: BTreeMap<String, Vec<String>>,
}

impl CaptionsRecipe {
    /// Whether any caption is other than the picture's own.
    pub(crate) fn is_used(&self) -> bool {
        self.keyword + self.kind + self.colour > 0.0
    }
}
