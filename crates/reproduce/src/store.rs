use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::ReproduceError;

/// Results of units, each in a file named by a hash of everything it depends on.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The hash of what a unit depends on.
    pub(crate) fn key(&self, dependencies: &impl Serialize) -> Result<String, ReproduceError> {
        let text = serde_json::to_vec(dependencies)
            .map_err(|error| ReproduceError::broken(&self.folder, error))?;
        Ok(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn path(&self, key: &str, extension: &str) -> PathBuf {
        // Two levels, so that no folder grows to many thousands of files.
        self.folder.join(&key[..2]).join(format!("{key}.{extension}"))
    }

    /// Whether the unit is there.
    pub(crate) fn has(&self, key: &str, extension: &str) -> bool {
        self.path(key, extension).is_file()
    }

    /// The stored result, `None` where there is none. A file that cannot be read as a result is
    /// as good as none: it is computed and written again.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let text = std::fs::read(self.path(key, "json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn write(&self, key: &str, value: &impl Serialize) -> Result<(), ReproduceError> {
        let path = self.path(key, "json");
        let text =
            serde_json::to_vec(value).map_err(|error| ReproduceError::broken(&path, error))?;
        self.write_bytes(&path, &text)
    }

    pub(crate) fn write_bytes(&self, path: &Path, bytes: &[u8]) -> Result<(), ReproduceError> {
        Ok(files::write_atomically(path, bytes).map_err(pipeline::PipelineError::from)?)
    }

    pub(crate) fn remove(&self, key: &str) {
        // A leftover costs nothing but room.
        let _ = std::fs::remove_file(self.path(key, "json"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_truncated_file_counts_as_absent() {
        let folder = std::env::temp_dir().join(format!("store-test-{}", std::process::id()));
        let store = Store::new(&folder);
        let key = store.key(&("a", 1.5)).unwrap();
        assert_ne!(key, store.key(&("a", 1.25)).unwrap());
        assert_eq!(store.read::<Vec<f64>>(&key), None);
        store.write(&key, &vec![0.1f64, 1.0 / 3.0]).unwrap();
        assert_eq!(store.read::<Vec<f64>>(&key), Some(vec![0.1, 1.0 / 3.0]));
        std::fs::write(store.path(&key, "json"), "[0.1, 0.3").unwrap();
        assert_eq!(store.read::<Vec<f64>>(&key), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
