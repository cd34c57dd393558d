//! The hashes a hub names files by: SHA-256, and git's.

use std::io::{ErrorKind, Read};
use std::path::Path;

use files::Sha256;
use sha1::{Digest, Sha1};

use crate::HubError;

/// The hashes a hub names a file by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHash {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal; names large files.
    pub sha256: String,
    /// Git's blob hash in hexadecimal; names small files.
    pub git: String,
}

impl FileHash {
    /// Whether an ETag is one of the hashes; `None` where it is no hash at all.
    pub fn answers(&self, etag: &str) -> Option<bool> {
        if !etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match etag.len() {
            64 => Some(etag == self.sha256),
            40 => Some(etag == self.git),
            _ => None,
        }
    }
}

/// Hashes a file.
///
/// # Errors
/// [`HubError::File`] naming the file.
pub fn hash_file(path: &Path) -> Result<FileHash, HubError> {
    let mut file = files::open(path)?;
    let size = file.metadata().map_err(HubError::at(path))?.len();
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new());
    git.update(format!("blob {size}\0"));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(HubError::at(path)(error)),
        };
        sha256.update(&buffer[..read]);
        git.update(&buffer[..read]);
    }
    let git = git.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(FileHash { size, sha256: sha256.hex(), git })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_file_gives_the_known_hashes_of_a_short_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello\n").unwrap();
        let hash = hash_file(&path).unwrap();
        // `git hash-object` and `sha256sum`.
        assert_eq!(hash.git, "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(hash.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(
            (hash.size, hash.answers(&hash.git), hash.answers("W/x")),
            (6, Some(true), None)
        );
    }
}
