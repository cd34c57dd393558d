//! Which file a number was measured with.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// Which file a number was measured with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Name of the file.
    pub file: String,
    /// Its sha256 in hexadecimal digits.
    pub sha256: String,
}

impl Checkpoint {
    /// Reads the whole file once.
    ///
    /// # Errors
    /// [`MetricsError::File`].
    pub fn of(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let sha256 = files::sha256_file(path)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, sha256 })
    }
}
