//! Lists of prompts by category, in the order in which the authors took them.

use std::path::{Path, PathBuf};

use hub::Settings;
use rand_mt::Mt;

use super::settings::PromptSettings;
use crate::ReproduceError;

/// The prompts of each category, at most `count` of each.
///
/// # Errors
/// [`ReproduceError`] naming the file that is absent or broken, and how to fetch it.
pub(crate) fn load(
    settings: &PromptSettings,
    count: usize,
    root: &Path,
) -> Result<Vec<(String, Vec<String>)>, ReproduceError> {
    let category = |category: &String| {
        let path = file_of(settings, category, root)?;
        let text = files::read_to_string(&path)?;
        let mut prompts: Vec<String> =
            serde_json::from_str(&text).map_err(|error| ReproduceError::broken(&path, error))?;
        if prompts.is_empty() {
            return Err(ReproduceError::broken(&path, "expected prompts, found none"));
        }
        if let Some(seed) = settings.shuffle_seed {
            shuffle_like_python(&mut prompts, seed);
        }
        prompts.truncate(count);
        Ok((category.clone(), prompts))
    };
    settings.categories.iter().map(category).collect()
}

/// Where a category's list is.
fn file_of(
    settings: &PromptSettings,
    category: &str,
    root: &Path,
) -> Result<PathBuf, ReproduceError> {
    let name = format!("{category}.json");
    if let Some(folder) = &settings.folder {
        return Ok(root.join(folder).join(name));
    }
    let package = settings.package.as_deref().unwrap_or_default();
    let is_named = |path: &PathBuf| path.ends_with(&name);
    hub::installed(package, &Settings::from_env())?.into_iter().find(is_named).ok_or_else(|| {
        ReproduceError::Experiment(format!("the package `{package}` has no category `{category}`"))
    })
}

/// Orders `items` as `random.seed(seed); random.shuffle(items)` does in Python 3.
fn shuffle_like_python<T>(items: &mut [T], seed: u32) {
    let mut generator = Mt::new_with_key([seed]);
    for i in (1..items.len()).rev() {
        let bound = (i + 1) as u32;
        let bits = u32::BITS - bound.leading_zeros();
        let draw = loop {
            let draw = generator.next_u32() >> (u32::BITS - bits);
            if draw < bound {
                break draw;
            }
        };
        items.swap(i, draw as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3.11 prints for `random.seed(42); random.shuffle(list(range(n)))`.
    #[test]
    fn shuffle_like_python_gives_pythons_order() {
        let mut few: Vec<u32> = (0..5).collect();
        shuffle_like_python(&mut few, 42);
        assert_eq!(few, [3, 1, 2, 4, 0]);
        let mut many: Vec<u32> = (0..800).collect();
        shuffle_like_python(&mut many, 42);
        assert_eq!(many[..12], [732, 374, 573, 490, 647, 531, 358, 649, 450, 773, 495, 644]);
    }

    #[test]
    fn load_takes_the_first_of_each_category_and_names_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "[\"x\", \"y\", \"z\"]").unwrap();
        std::fs::write(folder.path().join("b.json"), "{}").unwrap();
        let mut settings = PromptSettings {
            package: None,
            folder: Some(".".into()),
            categories: vec!["a".into()],
            shuffle_seed: None,
        };
        let loaded = load(&settings, 2, folder.path()).unwrap();
        assert_eq!(loaded, [("a".to_string(), vec!["x".to_string(), "y".to_string()])]);
        for (category, word) in [("b", "b.json"), ("c", "c.json")] {
            settings.categories = vec![category.into()];
            let error = load(&settings, 2, folder.path()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
