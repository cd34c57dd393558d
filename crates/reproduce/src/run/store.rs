//! Results on disk: files named by a hash of everything they depend on, each with a checksum.
//!
//! A record is `{"sha256":"…","result":…}`; the checksum is over the key and the bytes of the
//! result, so that neither a flipped bit nor a renamed file is taken for a result. Pictures are
//! files of their own, whose hashes stand in the record of their unit.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use files::{sha256_bytes, write_atomically};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ReproduceError;
use crate::plan::Key;

const BEGIN: &str = "{\"sha256\":\"";
const MIDDLE: &str = "\",\"result\":";
const END: &str = "}\n";

/// A stored file that is not what was written; its unit is computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.reason)
    }
}

impl From<Damage> for ReproduceError {
    fn from(Damage { path, reason }: Damage) -> Self {
        Self::Broken { path, reason }
    }
}

/// The folder of all results.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub(crate) fn path(&self, key: &Key, extension: &str) -> PathBuf {
        // Two levels, so that no folder grows to many thousands of files.
        self.folder.join(&key.as_str()[..2]).join(format!("{}.{extension}", key.as_str()))
    }

    /// The stored record, `None` where there is none.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Damage> {
        let path = self.path(key, "json");
        let damage = |reason: String| Damage { path: path.clone(), reason };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damage(error.to_string())),
        };
        let Some((stored, result)) = parts(&text) else {
            let reason = "expected a record with a checksum, found a damaged or an older one";
            return Err(damage(reason.into()));
        };
        let sum = checksum(key, result);
        if stored != sum {
            return Err(damage(format!("expected sha256 {stored}, found {sum}")));
        }
        serde_json::from_str(result).map(Some).map_err(|error| damage(error.to_string()))
    }

    /// Stores a record.
    pub(crate) fn write(&self, key: &Key, result: &impl Serialize) -> Result<(), ReproduceError> {
        let path = self.path(key, "json");
        let result =
            serde_json::to_string(result).map_err(|error| ReproduceError::broken(&path, error))?;
        let sum = checksum(key, &result);
        Ok(write_atomically(&path, format!("{BEGIN}{sum}{MIDDLE}{result}{END}"))?)
    }

    /// A stored file that is no record, which must have the given hash.
    pub(crate) fn read_file(&self, path: &Path, expected: &str) -> Result<Vec<u8>, Damage> {
        let damage = |reason: String| Damage { path: path.into(), reason };
        let bytes = std::fs::read(path).map_err(|error| damage(error.to_string()))?;
        let found = sha256_bytes(&bytes);
        match found == expected {
            true => Ok(bytes),
            false => Err(damage(format!("expected sha256 {expected}, found {found}"))),
        }
    }

    /// Stores a file that is no record, and returns its hash.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<String, ReproduceError> {
        write_atomically(path, bytes)?;
        Ok(sha256_bytes(bytes))
    }

    pub(crate) fn remove(&self, key: &Key) {
        // A leftover costs nothing but room.
        let _ = std::fs::remove_file(self.path(key, "json"));
    }
}

fn checksum(key: &Key, result: &str) -> String {
    sha256_bytes(format!("{} {result}", key.as_str()))
}

/// Checksum and result of a record.
fn parts(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let (sum, rest) = text.split_at_checked(64)?;
    Some((sum, rest.strip_prefix(MIDDLE)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::of(&text.into())
    }

    #[test]
    fn read_gives_what_was_written_and_nothing_where_nothing_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(store.read::<Vec<f64>>(&key("a")), Ok(None));
        store.write(&key("a"), &vec![0.1f64, 1.0 / 3.0]).unwrap();
        assert_eq!(store.read(&key("a")), Ok(Some(vec![0.1, 1.0 / 3.0])));
    }

    #[test]
    fn read_notices_every_flipped_bit_and_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let key = key("a");
        store.write(&key, &vec![0.5f64, 123.0]).unwrap();
        let path = store.path(&key, "json");
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            let damage = store.read::<Vec<f64>>(&key).unwrap_err();
            assert_eq!(damage.path, path);
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(store.read::<Vec<f64>>(&key).is_err(), "{length}");
        }
    }

    #[test]
    fn read_of_another_units_or_an_older_record_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.write(&key("a"), &vec![0.5f64]).unwrap();
        let path = store.path(&key("b"), "json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(store.path(&key("a"), "json"), &path).unwrap();
        assert!(store.read::<Vec<f64>>(&key("b")).is_err());
        std::fs::write(&path, "[0.5]").unwrap();
        let damage = store.read::<Vec<f64>>(&key("b")).unwrap_err();
        assert!(damage.reason.contains("checksum"), "{damage}");
    }

    #[test]
    fn read_file_notices_damage_and_absence() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let path = store.path(&key("a"), "png");
        let sum = store.write_file(&path, b"picture").unwrap();
        assert_eq!(store.read_file(&path, &sum), Ok(b"picture".to_vec()));
        std::fs::write(&path, b"pictura").unwrap();
        assert_eq!(store.read_file(&path, &sum).unwrap_err().path, path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(store.read_file(&path, &sum).unwrap_err().path, path);
    }
}
