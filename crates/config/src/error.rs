//! The error of every configuration: file, key, expected, found.

use files::FileError;

/// What can be wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no JSON object.
    #[error("`{file}`: expected a JSON object, found {found}")]
    NotAnObject {
        /// The file, or what else the text came from.
        file: String,
        /// What it holds instead.
        found: String,
    },
    /// A value of the wrong type, out of its range, or not implemented.
    #[error("`{file}`: `{key}`: expected {expected}, found {found}")]
    Value {
        /// The file, or what else the text came from.
        file: String,
        /// The key, with those of the objects around it (`text_cfg.width`).
        key: String,
        /// What is implemented.
        expected: String,
        /// The value as JSON, or `nothing`.
        found: String,
    },
    /// A key nobody here knows.
    #[error("`{file}`: unknown key `{key}` (= {found}){}", hint(.similar))]
    UnknownKey {
        /// The file, or what else the text came from.
        file: String,
        /// The key, with those of the objects around it.
        key: String,
        /// Its value as JSON.
        found: String,
        /// The known key that is spelt most like it.
        similar: Option<String>,
    },
}

fn hint(similar: &Option<String>) -> String {
    similar.as_ref().map_or(String::new(), |key| format!(": did you mean `{key}`?"))
}
