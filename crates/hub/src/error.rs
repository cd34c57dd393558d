use std::path::PathBuf;

/// What can go wrong between a model's name and its files.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file or folder could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
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
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
