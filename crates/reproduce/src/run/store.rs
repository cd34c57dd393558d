//! Results on disk: files named by a hash of everything they depend on, each with a checksum.
//!
//! A record is `{"sha256":"…","result":…}`; the checksum is over the key and the bytes of the
//! result, so that neither a flipped bit nor a renamed file is taken for a result. Pictures are
//! files of their own, whose hashes stand in the record of their unit, which is written after them.
//!
//! Several runs, on several machines, may share a store without locks: a file is written under a
//! name of its own and renamed, two runs that compute the same unit write the same bytes, and what
//! is not there yet for one machine is computed again.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use files::{FileError, sha256_bytes, write_atomically, write_synced};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ReproduceError;
use crate::plan::Key;

/// How often a file is read that another machine replaces meanwhile.
const READS: usize = 5;
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
    synced: bool,
}

impl Store {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), synced: false }
    }

    /// The same, with every result on the disk before it counts: a run that says that it is done has
    /// left nothing that a server could still lose.
    pub(crate) fn synced(self) -> Self {
        Self { synced: true, ..self }
    }

    pub(crate) fn path(&self, key: &Key, extension: &str) -> PathBuf {
        // Two levels, so that folders stay small: a million units are 4,000 files in each.
        self.folder.join(&key.as_str()[..2]).join(format!("{}.{extension}", key.as_str()))
    }

    /// The stored record, `None` where there is none.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Damage> {
        let path = self.path(key, "json");
        let damage = |reason: String| Damage { path: path.clone(), reason };
        let text = match read_again(|| std::fs::read_to_string(&path)) {
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
        Ok(self.put(&path, format!("{BEGIN}{sum}{MIDDLE}{result}{END}").as_bytes())?)
    }

    /// A stored file that is no record, which must have the given hash.
    pub(crate) fn read_file(&self, path: &Path, expected: &str) -> Result<Vec<u8>, Damage> {
        let damage = |reason: String| Damage { path: path.into(), reason };
        let bytes =
            read_again(|| std::fs::read(path)).map_err(|error| damage(error.to_string()))?;
        let found = sha256_bytes(&bytes);
        match found == expected {
            true => Ok(bytes),
            false => Err(damage(format!("expected sha256 {expected}, found {found}"))),
        }
    }

    /// Stores a file that is no record, and returns its hash.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<String, ReproduceError> {
        self.put(path, bytes)?;
        Ok(sha256_bytes(bytes))
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        if self.synced { write_synced(path, bytes) } else { write_atomically(path, bytes) }
    }

    pub(crate) fn remove(&self, key: &Key) {
        // A leftover costs nothing but room.
        let _ = std::fs::remove_file(self.path(key, "json"));
    }
}

/// Reads again where the file was replaced while it was read: on a network file system that is an
/// error for those who have the old one open.
fn read_again<T>(read: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let is_stale = |result: &io::Result<T>| {
        result.as_ref().is_err_and(|error| error.kind() == ErrorKind::StaleNetworkFileHandle)
    };
    let again = (1..READS).map(|_| read()).find(|result| !is_stale(result));
    again.unwrap_or_else(read)
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
        for bytes in hostile::flipped_bits(&whole) {
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
    fn read_again_outlasts_replaced_files_and_no_other_error() {
        let read = |stale: usize, kind: ErrorKind| {
            let reads = std::cell::Cell::new(0);
            let result = read_again(|| {
                reads.set(reads.get() + 1);
                if reads.get() <= stale { Err(io::Error::from(kind)) } else { Ok(7) }
            });
            (result.ok(), reads.get())
        };
        assert_eq!(read(READS - 1, ErrorKind::StaleNetworkFileHandle), (Some(7), READS));
        assert_eq!(read(READS, ErrorKind::StaleNetworkFileHandle), (None, READS));
        assert_eq!(read(1, ErrorKind::NotFound), (None, 1));
    }

    /// Readers see nothing, or a whole record, while others write it again and again.
    #[test]
    fn read_beside_writers_finds_nothing_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let (key, value) = (key("a"), vec![0.25f64; 20_000]);
        std::thread::scope(|scope| {
            for synced in [false, true] {
                let store = if synced { store.clone().synced() } else { store.clone() };
                let (key, value) = (&key, &value);
                scope.spawn(move || {
                    for _ in 0..40 {
                        store.write(key, value).unwrap();
                    }
                });
            }
            let mut found = 0;
            while found < 100 {
                match store.read::<Vec<f64>>(&key) {
                    Ok(Some(read)) => found += usize::from(read == value),
                    Ok(None) => std::thread::yield_now(),
                    Err(damage) => panic!("{damage}"),
                }
            }
        });
        // What a killed writer leaves is under a name that nobody reads.
        let left = store.path(&key, "json").with_file_name(".tmpAbCdEf");
        std::fs::write(left, "{\"sha2").unwrap();
        assert_eq!(store.read(&key), Ok(Some(value)));
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
