//! What is known of a file's content: the one comparison of a file with its manifest and its hub.

use std::path::Path;

use hub::{Digest, FileEntry, HubError, hash_file};

/// Bytes up to which a file is hashed even where only a quick look is wanted.
const QUICK: u64 = 1 << 20;

/// How closely a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its size; its content too where it is small.
    Quick,
    /// Its size and all of its content.
    Whole,
}

/// What is known of a file's content.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    size: Option<u64>,
    digest: Option<Digest>,
    /// The hash that the hub names it by.
    name: Option<String>,
}

impl Expected {
    /// What the manifest says.
    pub(crate) fn of(file: &FileEntry) -> Self {
        Self { size: file.size, digest: file.digest(), name: None }
    }

    /// That and what the hub says: its size, and the hash it names the file by.
    pub(crate) fn promised(mut self, size: Option<u64>, name: Option<&str>) -> Self {
        self.size = self.size.or(size);
        self.name = name.map(str::to_string);
        self
    }

    /// Bytes, where known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Compares a file with all that is known of it; returns whether a hash was compared.
    ///
    /// # Errors
    /// [`HubError::Different`] with expected and found, [`HubError::File`] where it cannot be read.
    pub(crate) fn check(&self, path: &Path, look: Look) -> Result<bool, HubError> {
        let different = |expected: String, found: String| {
            Err(HubError::Different { path: path.to_path_buf(), expected, found })
        };
        let size = std::fs::metadata(path).map_err(HubError::at(path))?.len();
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return different(format!("{expected} bytes"), format!("{size}"));
        }
        if look == Look::Quick && size > QUICK {
            return Ok(false);
        }
        let hash = hash_file(path)?;
        if let Some(digest) = self.digest.as_ref().filter(|digest| !digest.matches(&hash.sha256)) {
            return different(digest.to_string(), hash.sha256);
        }
        match self.name.as_ref().and_then(|name| Some((name, hash.answers(name)?))) {
            Some((name, false)) => {
                let found = if name.len() == 64 { hash.sha256 } else { hash.git };
                different(format!("the hub's hash {name}"), found)
            }
            Some((_, true)) => Ok(true),
            None => Ok(self.digest.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_sizes_always_and_hashes_of_small_files_without_being_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let expected =
            Expected { size: Some(6), digest: Some(Digest::Full(hello.into())), name: None };
        for (content, words) in [("hello\n", ""), ("hallo\n", hello), ("hello", "6 bytes")] {
            std::fs::write(&path, content).unwrap();
            match expected.check(&path, Look::Quick) {
                Ok(compared) => assert!(compared && words.is_empty()),
                Err(error) => assert!(!words.is_empty() && error.to_string().contains(words)),
            }
        }
        // Nothing known but the name in the hub: git's hash of an empty file is another.
        std::fs::write(&path, "").unwrap();
        let named = Expected { size: None, digest: None, name: None }
            .promised(None, Some("ce013625030ba8dba906f756967f9e9ca394464a"));
        assert!(named.check(&path, Look::Quick).is_err());
    }

    #[test]
    fn check_large_files_are_hashed_only_where_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, vec![0; QUICK as usize + 1]).unwrap();
        let digest = Some(Digest::Prefix("0000".into()));
        let expected = Expected { size: Some(QUICK + 1), digest, name: None };
        assert!(!expected.check(&path, Look::Quick).unwrap());
        assert!(expected.check(&path, Look::Whole).is_err());
    }
}
