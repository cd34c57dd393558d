//! Reading whole files, with their names in the errors.

use std::fs::File;
use std::path::Path;

use crate::FileError;

/// Opens a file for reading.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn open(path: impl AsRef<Path>) -> Result<File, FileError> {
    File::open(path.as_ref()).map_err(FileError::at(path))
}

/// The bytes of a file.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
    std::fs::read(path.as_ref()).map_err(FileError::at(path))
}

/// The text of a file.
///
/// # Errors
/// [`FileError`] naming the file, also where it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String, FileError> {
    std::fs::read_to_string(path.as_ref()).map_err(FileError::at(path))
}
