//! Files that appear complete under their name, or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::FileError;

/// Writes `bytes` to `path` so that the file is complete or untouched; missing folders are made.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn write_atomically(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path.as_ref())?;
    file.write_all(bytes.as_ref()).map_err(FileError::at(path))?;
    file.commit()
}

/// As [`write_atomically`], with the bytes on the disk before the file gets its name: neither a power
/// failure nor a server that reports a full disk late leaves part of them under it.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn write_synced(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path.as_ref())?;
    file.write_all(bytes.as_ref())
        .and_then(|()| file.as_file_mut().sync_data())
        .map_err(FileError::at(path))?;
    file.commit()
}

/// A file that is written under a name of its own, in the folder it will stand in, and takes its
/// place with [`commit`](Self::commit); dropped before that, it leaves nothing behind.
///
/// A file that stands there already keeps its permissions, a new one has those that the user's
/// umask gives.
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will be called `path`; missing folders are made.
    ///
    /// # Errors
    /// [`FileError`] naming the file.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        let begin = || {
            let folder = folder_of(&path);
            std::fs::create_dir_all(folder)?;
            let mut builder = tempfile::Builder::new();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                // Temporary files are private by default; here the umask decides.
                builder.permissions(Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(folder)?;
            if let Ok(existing) = std::fs::metadata(&path) {
                keep_permissions(file.as_file(), existing.permissions())?;
            }
            Ok(file)
        };
        match begin() {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(FileError { path, reason: source }),
        }
    }

    /// The file as it is written, for crates that want a [`File`].
    pub fn as_file_mut(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives the file its name; what had it before is replaced in one step.
    ///
    /// # Errors
    /// [`FileError`] naming the file.
    pub fn commit(mut self) -> Result<(), FileError> {
        self.file.flush().map_err(FileError::at(&self.path))?;
        match self.file.persist(&self.path) {
            Ok(_) => Ok(()),
            Err(error) => Err(FileError { path: self.path, reason: error.error }),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for AtomicFile {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// The folder that a file stands in; that of a name alone is `.`, the working folder.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file of another owner's may refuse; then the new one keeps its own.
fn keep_permissions(file: &File, permissions: Permissions) -> io::Result<()> {
    match file.set_permissions(permissions) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/a.txt");
        write_atomically(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half of the ne").unwrap();
        drop(file);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        write_synced(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_folder_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path(), "x").unwrap_err();
        assert_eq!(error.path, folder.path());
    }

    #[cfg(unix)]
    #[test]
    fn new_files_have_the_permissions_of_the_umask_and_old_ones_keep_theirs() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let atomic = folder.path().join("atomic");
        write_atomically(&atomic, "").unwrap();
        assert_eq!(mode(&atomic), mode(&plain));
        std::fs::set_permissions(&atomic, Permissions::from_mode(0o640)).unwrap();
        write_atomically(&atomic, "again").unwrap();
        assert_eq!(mode(&atomic), 0o640);
    }
}
