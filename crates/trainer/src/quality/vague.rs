//! Prompts that name a kind of thing and leave the thing to the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pictures::Dataset;

use crate::captions::style_around;
use crate::{CaptionsRecipe, TrainError, kinds};

/// Fewest concepts of a kind that is asked for.
const CONCEPTS: usize = 12;

/// A prompt that many concepts answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaguePrompt {
    /// The prompt.
    pub text: String,
    /// The style that it asks for.
    pub style: String,
    /// The concepts that it could mean.
    pub concepts: BTreeSet<String>,
}

impl VaguePrompt {
    /// A prompt for each category and subcategory of at least twelve of `train`'s concepts that
    /// the recipe has a phrase for, the styles in turn.
    ///
    /// # Errors
    /// [`TrainError`] where `keywords.json` in the folder `data` is absent or broken.
    pub fn of_kinds(
        data: &Path,
        captions: &CaptionsRecipe,
        train: &Dataset,
    ) -> Result<Vec<Self>, TrainError> {
        let (kinds, _) = kinds::read(data)?;
        let mut concepts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for caption in train.examples.iter().map(|example| &example.caption) {
            if let Some(kind) = kinds.get(caption) {
                for name in [&kind.category, &kind.subcategory] {
                    concepts.entry(name).or_default().insert(caption.clone());
                }
            }
        }
        let styles: BTreeMap<&str, [String; 2]> =
            train.examples.iter().map(|e| (e.style.as_str(), style_around(e))).collect();
        let of = |((name, concepts), (style, [before, after])): (
            (&str, BTreeSet<String>),
            (&&str, &[String; 2]),
        )| {
            let phrase = captions.phrases.get(name)?.first()?;
            let text = format!("{before}{phrase}{after}");
            Some(Self { text, style: style.to_string(), concepts })
        };
        let asked = concepts.into_iter().filter(|(name, concepts)| {
            concepts.len() >= CONCEPTS && captions.phrases.contains_key(*name)
        });
        Ok(asked.zip(styles.iter().cycle()).filter_map(of).collect())
    }
}
