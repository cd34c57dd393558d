//! JSON files, indented as people read them.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::TrainError;

/// Writes a configuration, with a line break at its end as the Hugging Face libraries do.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), TrainError> {
    Ok(files::write_atomically(path, format!("{value:#}\n"))?)
}

/// Writes a record of a training run.
pub(crate) fn write_record<T: Serialize>(path: &Path, record: &T) -> Result<(), TrainError> {
    let text =
        serde_json::to_vec_pretty(record).map_err(|error| TrainError::broken(path, error))?;
    Ok(files::write_atomically(path, text)?)
}

/// Reads what [`write_record`] wrote.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = files::read_to_string(path)?;
    serde_json::from_str(&text).map_err(|error| TrainError::broken(path, error))
}
