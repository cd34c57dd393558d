use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::MetricsError;

/// Extensions of the pictures a folder is searched for.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The pictures of a folder, sorted by name; other files and folders inside are passed over.
///
/// # Errors
/// [`MetricsError::Io`] where it cannot be read, [`MetricsError::Broken`] where it has none.
pub fn list_pictures(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, MetricsError> {
    let folder = folder.as_ref();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(MetricsError::io(folder))? {
        let path = entry.map_err(MetricsError::io(folder))?.path();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        let reason = format!("expected pictures ({}), found none", EXTENSIONS.join(", "));
        return Err(MetricsError::broken(folder, reason));
    }
    found.sort();
    Ok(found)
}

/// The pictures of two folders in pairs of one file stem (`a.png` goes with `a.jpg`), by name.
///
/// # Errors
/// As [`list_pictures`]; a picture without partner, or a stem that occurs twice, is named.
pub fn pair_by_name(
    left: impl AsRef<Path>,
    right: impl AsRef<Path>,
) -> Result<Vec<(PathBuf, PathBuf)>, MetricsError> {
    let (first, second) = (by_stem(left.as_ref())?, by_stem(right.as_ref())?);
    for (own, other, folder) in
        [(&first, &second, right.as_ref()), (&second, &first, left.as_ref())]
    {
        if let Some((_, path)) = own.iter().find(|(stem, _)| !other.contains_key(*stem)) {
            let reason = format!("expected a picture of this name in `{}` too", folder.display());
            return Err(MetricsError::broken(path, reason));
        }
    }
    Ok(first.into_iter().map(|(stem, path)| (path, second[&stem].clone())).collect())
}

fn by_stem(folder: &Path) -> Result<BTreeMap<std::ffi::OsString, PathBuf>, MetricsError> {
    let mut stems = BTreeMap::new();
    for path in list_pictures(folder)? {
        let stem = path.file_stem().unwrap_or_default().to_os_string();
        if let Some(earlier) = stems.insert(stem, path.clone()) {
            let reason = format!("the same name as `{}`", earlier.display());
            return Err(MetricsError::broken(path, reason));
        }
    }
    Ok(stems)
}
