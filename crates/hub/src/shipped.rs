//! Models that come with the program, found from any working folder.

use std::path::PathBuf;

use crate::{HubError, Settings};

/// Names of the models that come with the program: a diffusers pipeline, one distilled from it that
/// takes few steps without guidance, and a CLIP that scores their pictures.
pub const SHIPPED: [&str; 3] = ["emoji-sd", "emoji-turbo", "emoji-clip"];

/// The folder of a model that comes with the program.
///
/// # Errors
/// [`HubError::NotShipped`] with the folders that were looked in.
pub fn shipped(name: &str, settings: &Settings) -> Result<PathBuf, HubError> {
    match settings.models.iter().map(|models| models.join(name)).find(|folder| folder.is_dir()) {
        Some(folder) => {
            // Folders of the checkout are spelt as the compiler saw them.
            let folder = folder.canonicalize().unwrap_or(folder);
            log::info!("`{name}` is `{}`", folder.display());
            Ok(folder)
        }
        None => {
            let looked: Vec<String> =
                settings.models.iter().map(|folder| format!("`{}`", folder.display())).collect();
            Err(HubError::NotShipped { name: name.into(), looked: looked.join(", ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_the_first_folder_counts_and_nowhere_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c"].map(|name| folder.path().join(name));
        for models in &folders[1..] {
            std::fs::create_dir_all(models.join("emoji-sd")).unwrap();
        }
        let settings = Settings { models: folders.to_vec(), ..Settings::from_lookup(|_| None) };
        let found = shipped("emoji-sd", &settings).unwrap();
        assert_eq!(found, folders[1].join("emoji-sd").canonicalize().unwrap());
        let error = shipped("emoji-clip", &settings).unwrap_err().to_string();
        assert!(folders.iter().all(|f| error.contains(f.to_str().unwrap())), "{error}");
    }

    #[test]
    fn shipped_models_are_found_in_the_checkout_without_any_variable() {
        let settings = Settings::from_lookup(|_| None);
        assert!(SHIPPED.iter().all(|name| shipped(name, &settings).is_ok()));
    }
}
