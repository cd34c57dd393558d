//! What can go wrong between a model's name and its files.

use std::path::{Path, PathBuf};

use files::FileError;

use crate::Variant;

/// What can go wrong between a model's name and its files.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// No preset has that name, and no file or folder either.
    #[error(
        "there is no folder, file or preset `{name}`{}; presets: {presets}",
        suggestion.as_ref().map_or(String::new(), |s| format!(" (did you mean `{s}`?)"))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The preset whose name is nearest, where one is near.
        suggestion: Option<String>,
        /// All presets.
        presets: String,
    },
    /// A preset whose files are not on this machine.
    #[error(
        "`{name}` is not on this machine (looked in {looked}): fetch it with \
         `unet-reweight download {name}` (in the source tree: `cargo xtask download {name}`), or \
         give a path"
    )]
    Absent {
        /// The preset.
        name: String,
        /// Folders that were looked in.
        looked: String,
    },
    /// A model that comes with the program is not where it could be.
    #[error(
        "the model `{name}`, which comes with the program's source, is in none of {looked}: copy \
         the source's `models/{name}` to one of them, say in UNET_REWEIGHT_MODELS which folder it \
         is in, or name another model"
    )]
    NotShipped {
        /// The model.
        name: String,
        /// Folders that were looked in.
        looked: String,
    },
    /// A package has no such weights.
    #[error("`{name}` has no variant `{wanted}`: it has {known}")]
    Variant {
        /// The package.
        name: String,
        /// What was asked for.
        wanted: Variant,
        /// What there is.
        known: String,
    },
    /// The access token cannot be one; it is not shown.
    #[error(
        "the token in {origin} cannot be one: character {position} is none of the letters, digits \
         and signs of ASCII (the token is not shown)"
    )]
    Token {
        /// The variable or file it is from.
        origin: String,
        /// Which character is wrong, from 1.
        position: usize,
    },
    /// A variable of the environment says something that cannot be used.
    #[error("{name}: {reason}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// A file of a preset is not the one the manifest means.
    #[error("`{path}`: expected {expected}, found {found}")]
    Different {
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The server said no, or something that makes no sense.
    #[error("{url}: {reason}")]
    Server {
        /// What was asked for.
        url: String,
        /// What went wrong, and what can be done.
        reason: String,
    },
    /// There is not enough room.
    #[error(
        "not enough room in `{path}`: {needed} bytes are needed, {free} are free; set HF_HOME to \
         a folder on a larger disk"
    )]
    Room {
        /// The folder.
        path: PathBuf,
        /// Bytes still to fetch.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
}

impl HubError {
    /// Names the file or folder of an error that the system reports.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let name = FileError::at(path);
        move |source| name(source).into()
    }
}
