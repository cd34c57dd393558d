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
        let mut styles = styles.iter().cycle();
        let mut prompts = Vec::new();
        for (name, concepts) in concepts.into_iter().filter(|(_, of)| of.len() >= CONCEPTS) {
            let phrase = captions.phrases.get(name).and_then(|phrases| phrases.first());
            let (Some(phrase), Some((style, [before, after]))) = (phrase, styles.next()) else {
                continue;
            };
            let text = format!("{before}{phrase}{after}");
            prompts.push(Self { text, style: style.to_string(), concepts });
        }
        Ok(prompts)
    }
}

#[cfg(test)]
mod tests {
    use pictures::Example;
    use serde_json::json;

    use super::*;

    #[test]
    fn of_kinds_asks_for_kinds_of_many_concepts_that_have_a_phrase() {
        let caption = |i: usize| format!("a bird no. {i}");
        let example = |i: usize| Example {
            file_name: String::new(),
            text: format!("pixel art of {}, small", caption(i)),
            caption: caption(i),
            style: "pixel".into(),
            pixels: Vec::new(),
        };
        let train = |count: usize| Dataset { examples: (0..count).map(example).collect(), size: 0 };
        let kind = json!({"category": "nature", "subcategory": "bird", "keywords": []});
        let kinds: BTreeMap<String, _> = (0..12).map(|i| (caption(i), kind.clone())).collect();
        let folder = tempfile::tempdir().unwrap();
        let asked = |captions: &CaptionsRecipe, count: usize| {
            VaguePrompt::of_kinds(folder.path(), captions, &train(count))
        };
        let phrases = BTreeMap::from([("bird".to_string(), vec!["a bird".to_string()])]);
        let captions = CaptionsRecipe { phrases, ..CaptionsRecipe::default() };
        let error = asked(&captions, 12).unwrap_err().to_string();
        assert!(error.contains("keywords.json"), "{error}");
        let text = serde_json::to_string(&kinds).unwrap();
        std::fs::write(folder.path().join("keywords.json"), text).unwrap();
        let prompts = asked(&captions, 12).unwrap();
        assert_eq!(prompts.len(), 1);
        assert_eq!(
            (&*prompts[0].text, &*prompts[0].style),
            ("pixel art of a bird, small", "pixel")
        );
        assert_eq!(prompts[0].concepts, (0..12).map(caption).collect());
        // Too few birds, and a kind without a phrase.
        assert_eq!(asked(&captions, 11).unwrap(), []);
        assert_eq!(asked(&CaptionsRecipe::default(), 12).unwrap(), []);
    }
}
