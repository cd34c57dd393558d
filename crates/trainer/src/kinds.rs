//! What kind of thing each concept is: `keywords.json` beside the pictures.

use std::collections::BTreeMap;
use std::path::Path;

use files::sha256_file;
use serde::Deserialize;

use crate::TrainError;
use crate::json_file::read_record;

/// What kind of thing a concept is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    /// Category, for example `nature`.
    pub(crate) category: String,
    /// Subcategory, for example `animal-bird`.
    pub(crate) subcategory: String,
    /// Words that people look for it by.
    pub(crate) keywords: Vec<String>,
}

/// The kind of each concept, by its caption.
pub(crate) type Kinds = BTreeMap<String, Kind>;

/// Reads `keywords.json` in the folder of a picture set; gives its SHA-256 too.
///
/// # Errors
/// [`TrainError::File`] where there is none, [`TrainError::Broken`] naming the field.
pub(crate) fn read(data: &Path) -> Result<(Kinds, String), TrainError> {
    let path = data.join("keywords.json");
    Ok((read_record(&path)?, sha256_file(&path)?))
}
