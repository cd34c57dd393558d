//! Folders of pictures, and two of them side by side.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use files::FileError;

use crate::PictureError;

/// Extensions of the pictures a folder is searched for.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The pictures of a folder, sorted by name; other files and folders inside are passed over.
///
/// # Errors
/// [`PictureError::File`] where it cannot be read, [`PictureError::Broken`] where it has none.
pub fn list_pictures(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, PictureError> {
    let folder = folder.as_ref();
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(FileError::at(folder))? {
        let path = entry.map_err(FileError::at(folder))?.path();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) && path.is_file() {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        let reason = format!("expected pictures ({}), found none", EXTENSIONS.join(", "));
        return Err(PictureError::broken(folder, reason));
    }
    pictures.sort();
    Ok(pictures)
}

/// The pictures of two folders in pairs of one file stem (`a.png` goes with `a.jpg`), by name.
///
/// # Errors
/// As [`list_pictures`]; a picture without partner, or a stem that occurs twice, is named.
pub fn pair_by_name(
    left: impl AsRef<Path>,
    right: impl AsRef<Path>,
) -> Result<Vec<(PathBuf, PathBuf)>, PictureError> {
    let (left, right) = (left.as_ref(), right.as_ref());
    let (first, mut second) = (by_stem(left)?, by_stem(right)?);
    let alone = |path: &Path, other: &Path| {
        let reason = format!("expected a picture of this name in `{}` too", other.display());
        PictureError::broken(path, reason)
    };
    let mut pairs = Vec::with_capacity(first.len());
    for (stem, path) in first {
        match second.remove(&stem) {
            Some(partner) => pairs.push((path, partner)),
            None => return Err(alone(&path, right)),
        }
    }
    match second.first_key_value() {
        Some((_, path)) => Err(alone(path, left)),
        None => Ok(pairs),
    }
}

fn by_stem(folder: &Path) -> Result<BTreeMap<OsString, PathBuf>, PictureError> {
    let mut stems = BTreeMap::new();
    for path in list_pictures(folder)? {
        let stem = path.file_stem().unwrap_or_default().to_os_string();
        if let Some(earlier) = stems.insert(stem, path.clone()) {
            let reason = format!("the same name as `{}`", earlier.display());
            return Err(PictureError::broken(path, reason));
        }
    }
    Ok(stems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_paired_by_name_or_the_odd_one_is_named() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(list_pictures(a.path()).unwrap_err().to_string().contains("found none"));
        // Only names matter here.
        let touch = |folder: &Path, name: &str| std::fs::write(folder.join(name), "").unwrap();
        for name in ["2.png", "10.png", "1.png"] {
            touch(a.path(), name);
            touch(b.path(), name);
        }
        touch(a.path(), "notes.txt");
        let pairs = pair_by_name(a.path(), b.path()).unwrap();
        assert!(pairs.iter().all(|(a, b)| a.file_name() == b.file_name()) && pairs.len() == 3);
        touch(b.path(), "odd.png");
        let message = |result: Result<_, PictureError>| result.unwrap_err().to_string();
        assert!(message(pair_by_name(a.path(), b.path())).contains("odd.png"));
        assert!(message(pair_by_name(b.path(), a.path())).contains("odd.png"));
        touch(a.path(), "odd.jpg");
        assert_eq!(pair_by_name(a.path(), b.path()).unwrap().len(), 4);
        touch(a.path(), "odd.webp");
        assert!(message(pair_by_name(a.path(), b.path())).contains("the same name"));
    }
}
