//! SHA-256 of files and bytes, in hexadecimal.

use std::io::{self, Read, Write};
use std::path::Path;

use sha2::Digest;

use crate::{FileError, open};

/// A SHA-256 that is fed piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// The hash of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// Appends the content of a file, read in pieces.
    ///
    /// # Errors
    /// [`FileError`] naming the file.
    pub fn update_file(&mut self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let mut file = open(path.as_ref())?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.0.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileError::at(path)(error)),
            }
        }
    }

    /// The hash: 64 lower-case hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of bytes: 64 lower-case hexadecimal digits.
pub fn sha256_bytes(bytes: impl AsRef<[u8]>) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.hex()
}

/// SHA-256 of a file's content: 64 lower-case hexadecimal digits.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn sha256_file(path: impl AsRef<Path>) -> Result<String, FileError> {
    let mut hash = Sha256::new();
    hash.update_file(path)?;
    Ok(hash.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_gives_the_known_hash_of_a_short_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello\n").unwrap();
        // As `sha256sum` prints it.
        let known = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(sha256_file(&path).unwrap(), known);
        assert_eq!(sha256_bytes("hello\n"), known);
        let missing = sha256_file(folder.path().join("b")).unwrap_err();
        assert!(missing.is_not_found() && missing.to_string().contains("b`"), "{missing}");
    }
}
