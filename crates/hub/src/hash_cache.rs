//! Hashes of large files that need not be read again.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use files::{Sha256, sha256_file};
use serde::{Deserialize, Serialize};

use crate::{Cache, HubError, Settings};

/// Bytes from which it is worth keeping a hash.
const LARGE: u64 = 1 << 20;
/// Age from which a file's times tell whether it changed: younger ones may change again within
/// one tick of the clock that file systems use.
const SETTLED: Duration = Duration::from_secs(2);
/// Subjects that hashes are kept of.
const CAPACITY: usize = 1000;

/// SHA-256 of files, kept in the user's cache folder together with what tells whether the files are
/// still the same: path, size, times and inode.
///
/// A file that cannot be read or written there costs time, never a result.
#[derive(Debug, Clone)]
pub struct HashCache {
    file: Option<PathBuf>,
    hub: Cache,
}

/// What is kept of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    stamp: String,
    sha256: String,
}

type Entries = BTreeMap<String, Entry>;

impl HashCache {
    /// The cache of `settings`.
    pub fn new(settings: &Settings) -> Self {
        let file = settings.cache.as_ref().map(|folder| folder.join("hashes.json"));
        Self { file, hub: Cache::new(settings) }
    }

    /// SHA-256 over `parts`, a label and the content of a file each, in hexadecimal; it is kept
    /// under the name of `subject`, the folder or file that the parts belong to.
    ///
    /// Of a link whose target is called by 64 hexadecimal digits, as in a hub's cache, the SHA-256
    /// of its content takes the content's place. In the cache of this computer the name is that
    /// hash already, elsewhere it is computed.
    ///
    /// # Errors
    /// [`HubError::File`] naming the file that cannot be read.
    pub fn sha256(&self, subject: &Path, parts: &[(String, PathBuf)]) -> Result<String, HubError> {
        let stamp = self.stamp(parts)?;
        let key = std::path::absolute(subject).unwrap_or_else(|_| subject.to_path_buf());
        let key = key.to_string_lossy().into_owned();
        if let (Some(file), Some(stamp)) = (&self.file, &stamp)
            && let Some(entry) = read(file).remove(&key).filter(|entry| entry.stamp == *stamp)
        {
            log::debug!("the hash of `{key}` is known");
            return Ok(entry.sha256);
        }
        log::debug!("hashing `{key}`");
        let mut hash = Sha256::new();
        for (label, path) in parts {
            hash.update(label);
            match (blob_digest(path), self.hub.blob(path)) {
                (None, _) => hash.update_file(path)?,
                (Some(digest), Some(name)) if name == digest => hash.update(digest),
                (Some(_), _) => hash.update(sha256_file(path)?),
            }
        }
        let sha256 = hash.hex();
        if let (Some(file), Some(stamp)) = (&self.file, stamp)
            && self.stamp(parts)?.as_ref() == Some(&stamp)
        {
            keep(file, key, Entry { stamp, sha256: sha256.clone() });
        }
        Ok(sha256)
    }

    /// What tells whether any of the parts changed; none where it is not worth keeping their hash,
    /// or where one changed just now.
    fn stamp(&self, parts: &[(String, PathBuf)]) -> Result<Option<String>, HubError> {
        let (mut hash, mut bytes, mut settled) = (Sha256::new(), 0, true);
        for (label, path) in parts {
            let metadata = std::fs::metadata(path).map_err(HubError::at(path))?;
            let target = path.canonicalize().map_err(HubError::at(path))?;
            settled &= is_settled(&metadata);
            if self.hub.blob(path).is_none_or(|name| blob_digest(path).as_ref() != Some(&name)) {
                bytes += metadata.len();
            }
            hash.update(format!("{label}\n{}\n{:?}\n", target.display(), times(&metadata)));
            hash.update(format!("{:?}\n", blob_digest(path)));
        }
        Ok((bytes >= LARGE && settled).then(|| hash.hex()))
    }
}

/// The 64 hexadecimal digits that the target of a link is called by.
fn blob_digest(path: &Path) -> Option<String> {
    let target = std::fs::read_link(path).ok()?;
    let name = target.file_name()?.to_str()?;
    (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| name.into())
}

fn is_settled(metadata: &Metadata) -> bool {
    let now = SystemTime::now();
    let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
    #[cfg(unix)]
    let age = {
        use std::os::unix::fs::MetadataExt;
        let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        age.min(now.duration_since(changed).ok())
    };
    age.is_some_and(|age| age > SETTLED)
}

/// Size, time of the last change of the content in nanoseconds, and, where there are such, inode,
/// device and time of the last change at all, which no program can set.
fn times(metadata: &Metadata) -> impl std::fmt::Debug + use<> {
    let modified = metadata.modified().ok();
    #[cfg(unix)]
    let more = {
        use std::os::unix::fs::MetadataExt;
        (metadata.ino(), metadata.dev(), metadata.ctime(), metadata.ctime_nsec())
    };
    #[cfg(not(unix))]
    let more = ();
    (metadata.len(), modified, more)
}

/// What is kept; nothing where the file is not there or is no such file.
fn read(file: &Path) -> Entries {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(_) => return Entries::new(),
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        log::warn!("`{}` is ignored: {error}", file.display());
        Entries::new()
    })
}

/// Keeps one more entry. Of two processes that do so at once, one may lose its entry.
fn keep(file: &Path, key: String, entry: Entry) {
    let mut entries = read(file);
    entries.retain(|subject, _| Path::new(subject).exists());
    if entries.len() >= CAPACITY {
        entries.clear();
    }
    entries.insert(key, entry);
    let text = serde_json::to_string_pretty(&entries).unwrap_or_default();
    if let Err(error) = files::write_atomically(file, text) {
        log::warn!("the hash is not kept: {error}");
    }
}

#[cfg(test)]
mod tests;
