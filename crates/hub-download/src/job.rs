//! One file to fetch: where it comes from, what it must be, where it goes.

use std::path::PathBuf;

use crate::expected::Expected;
use crate::metadata::Metadata;
use hub::{Cache, FileEntry};

/// One file to fetch.
pub(crate) struct Job<'a> {
    pub(crate) file: &'a FileEntry,
    pub(crate) url: String,
    /// What is known of its content.
    pub(crate) expected: Expected,
    /// The repository it belongs to; absent for files with a URL of their own.
    pub(crate) origin: Option<Origin>,
    /// Where it will be.
    pub(crate) target: PathBuf,
    /// Where its bytes are stored.
    pub(crate) blob: PathBuf,
    /// Held while it is fetched.
    pub(crate) lock: PathBuf,
}

/// A revision of a repository in the cache.
pub(crate) struct Origin {
    /// Folder of the repository.
    pub(crate) repository: PathBuf,
    /// What was asked for: a commit or a branch.
    pub(crate) revision: String,
    /// The commit that it is.
    pub(crate) commit: String,
}

impl<'a> Job<'a> {
    /// A file with a URL of its own.
    pub(crate) fn direct(cache: &Cache, file: &'a FileEntry) -> Self {
        let target = cache.checkpoint(file);
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            file,
            url: file.url.clone().unwrap_or_default(),
            expected: Expected::of(file),
            origin: None,
            blob: target.clone(),
            lock: target.with_file_name(format!(".{name}.lock")),
            target,
        }
    }

    /// A file of a repository, which the hub says `metadata` of and the cache stores as `blob`.
    pub(crate) fn of_repository(
        cache: &Cache,
        file: &'a FileEntry,
        url: String,
        origin: Origin,
        metadata: &Metadata,
        blob: &str,
    ) -> Self {
        let repository = &origin.repository;
        let locks = cache.hub().join(".locks").join(repository.file_name().unwrap_or_default());
        Self {
            file,
            url,
            expected: Expected::of(file).promised(metadata.size, metadata.etag.as_deref()),
            target: repository.join("snapshots").join(&origin.commit).join(&file.path),
            blob: repository.join("blobs").join(blob),
            lock: locks.join(format!("{blob}.lock")),
            origin: Some(origin),
        }
    }

    /// Where its bytes are gathered.
    pub(crate) fn partial(&self) -> PathBuf {
        let mut name = self.blob.clone().into_os_string();
        name.push(".incomplete");
        name.into()
    }

    /// Bytes of it that an earlier attempt gathered.
    pub(crate) fn gathered(&self) -> u64 {
        std::fs::metadata(self.partial()).map_or(0, |partial| partial.len())
    }
}
