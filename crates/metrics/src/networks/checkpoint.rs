use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// [`MetricsError::Io`].
    pub fn of(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(MetricsError::io(path))?;
        let mut hasher = Sha256::new();
        std::io::copy(&mut file, &mut hasher).map_err(MetricsError::io(path))?;
        let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, sha256 })
    }
}
