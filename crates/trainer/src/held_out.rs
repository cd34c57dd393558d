//! Pairs of concept and style that no training sees, so that a model can be asked for combinations
//! that are new to it.

use std::collections::BTreeSet;
use std::path::Path;

use pictures::{Dataset, Example};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::json_file::{read_record, write_record};
use crate::recipe::HeldOutRecipe;
use crate::stage::stream;

/// A concept in a style.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The concept: a caption without style.
    pub caption: String,
    /// The style.
    pub style: String,
}

/// The pairs that a model was trained without, beside those of `validation/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldOut {
    pairs: BTreeSet<Pair>,
}

impl HeldOut {
    /// Name of the file in a model's folder.
    const FILE: &str = "held-out.json";

    /// Draws pairs of different concepts that have a picture in every style, the styles in turn.
    ///
    /// Every concept keeps its other styles: what is asked of a model is a new combination of
    /// parts that it knows.
    ///
    /// # Errors
    /// [`TrainError::Broken`] naming `data` where fewer concepts have all styles.
    pub(crate) fn draw(
        recipe: HeldOutRecipe,
        train: &Dataset,
        data: &Path,
    ) -> Result<Self, TrainError> {
        let styles: BTreeSet<&str> = train.examples.iter().map(|e| e.style.as_str()).collect();
        let known: BTreeSet<(&str, &str)> =
            train.examples.iter().map(|e| (e.caption.as_str(), e.style.as_str())).collect();
        let captions: BTreeSet<&str> = known.iter().map(|(caption, _)| *caption).collect();
        let whole = |caption: &&str| styles.iter().all(|style| known.contains(&(*caption, *style)));
        let mut captions: Vec<&str> = captions.into_iter().filter(whole).collect();
        if captions.len() < recipe.pairs {
            let (pairs, styles, found) = (recipe.pairs, styles.len(), captions.len());
            let reason = format!(
                "expected at least {pairs} concepts in all {styles} styles, to hold out a style \
                 of each, found {found}"
            );
            return Err(TrainError::broken(data, reason));
        }
        captions.shuffle(&mut stream(recipe.seed, 0, 0));
        let pair = |(caption, style): (&str, &&str)| Pair {
            caption: caption.into(),
            style: style.to_string(),
        };
        let turns = styles.iter().cycle();
        Ok(Self { pairs: captions.into_iter().zip(turns).take(recipe.pairs).map(pair).collect() })
    }

    /// The pairs, in the order of their captions.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = &Pair> {
        self.pairs.iter()
    }

    /// Whether the picture shows a pair that was held out.
    pub fn contains(&self, example: &Example) -> bool {
        let Example { caption, style, .. } = example;
        self.pairs.contains(&Pair { caption: caption.clone(), style: style.clone() })
    }

    /// Whether the pair was held out.
    pub(crate) fn holds(&self, pair: &Pair) -> bool {
        self.pairs.contains(pair)
    }

    /// Takes the pictures of the pairs out of `train`; returns them.
    pub fn split_off(&self, train: &mut Dataset) -> Dataset {
        let examples = std::mem::take(&mut train.examples);
        let (held, kept) = examples.into_iter().partition(|example| self.contains(example));
        train.examples = kept;
        Dataset { examples: held, size: train.size }
    }

    /// Reads the list beside the model in `folder`; without the file no pair was held out.
    ///
    /// # Errors
    /// [`TrainError`] naming the file.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = folder.as_ref().join(Self::FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let pairs: Vec<Pair> = read_record(&path)?;
        Ok(Self { pairs: pairs.into_iter().collect() })
    }

    /// Writes the list into a model's `folder`, where there is a pair.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        write_record(&folder.join(Self::FILE), &self.pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[(&str, &str)]) -> Dataset {
        let example = |(caption, style): &(&str, &str)| Example {
            file_name: String::new(),
            text: format!("{style} {caption}"),
            caption: caption.to_string(),
            style: style.to_string(),
            pixels: Vec::new(),
        };
        Dataset { examples: rows.iter().map(example).collect(), size: 0 }
    }

    fn whole(captions: &[&'static str]) -> Dataset {
        let pairs = captions.iter().flat_map(|caption| [(*caption, "flat"), (*caption, "pixel")]);
        set(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn draw_leaves_each_concept_another_style_and_takes_the_styles_in_turn() {
        let mut train = whole(&["a", "b", "c", "d", "e"]);
        // One style of `f` is held out already.
        train.examples.extend(set(&[("f", "flat")]).examples);
        let recipe = HeldOutRecipe { pairs: 4, seed: 1 };
        let drawn = HeldOut::draw(recipe, &train, Path::new("data")).unwrap();
        assert_eq!(drawn, HeldOut::draw(recipe, &train, Path::new("data")).unwrap());
        let other = HeldOutRecipe { seed: 2, ..recipe };
        assert_ne!(drawn, HeldOut::draw(other, &train, Path::new("data")).unwrap());
        let flat = drawn.pairs().filter(|pair| pair.style == "flat").count();
        assert_eq!((drawn.pairs().len(), flat), (4, 2));
        let held = drawn.split_off(&mut train);
        assert_eq!((held.examples.len(), train.examples.len()), (4, 7));
        let kept: BTreeSet<&str> = train.examples.iter().map(|e| e.caption.as_str()).collect();
        assert_eq!(kept.len(), 6);
        assert!(held.examples.iter().all(|e| drawn.contains(e) && e.caption != "f"));
    }

    #[test]
    fn draw_of_too_many_pairs_says_how_many_there_are() {
        let recipe = HeldOutRecipe { pairs: 3, seed: 1 };
        let error = HeldOut::draw(recipe, &whole(&["a", "b"]), Path::new("data")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`data`") && error.contains("at least 3 concepts"), "{error}");
        assert!(error.contains("found 2"), "{error}");
    }

    #[test]
    fn from_folder_reads_what_was_written_and_nothing_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(HeldOut::from_folder(folder.path()).unwrap(), HeldOut::default());
        let recipe = HeldOutRecipe { pairs: 2, seed: 1 };
        let drawn = HeldOut::draw(recipe, &whole(&["a", "b"]), Path::new("data")).unwrap();
        drawn.write(folder.path()).unwrap();
        assert_eq!(HeldOut::from_folder(folder.path()).unwrap(), drawn);
        std::fs::write(folder.path().join("held-out.json"), "[{\"caption\": \"a\"}]").unwrap();
        let error = HeldOut::from_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("held-out.json") && error.contains("`style`"), "{error}");
    }
}
