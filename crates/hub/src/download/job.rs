use std::path::{Path, PathBuf};

use super::client::{Client, Metadata};
use super::place;
use crate::{Cache, FileEntry, HubError, Manifest, Source};

/// One file to fetch.
pub(crate) struct Job<'a> {
    pub(crate) file: &'a FileEntry,
    pub(crate) url: String,
    /// Folder of the repository, the commit, and what the hub says of the file; absent for files
    /// with a URL of their own.
    pub(crate) hub: Option<(PathBuf, String, Metadata)>,
    /// Where it will be.
    pub(crate) target: PathBuf,
    /// Where its bytes are stored.
    pub(crate) blob: PathBuf,
    /// Held while it is fetched.
    pub(crate) lock: PathBuf,
}

impl<'a> Job<'a> {
    pub(crate) fn direct(cache: &Cache, file: &'a FileEntry) -> Self {
        let target = cache.checkpoint(file);
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            file,
            url: file.url.clone().unwrap_or_default(),
            hub: None,
            blob: target.clone(),
            lock: target.with_file_name(format!(".{name}.lock")),
            target,
        }
    }

    /// Bytes it has, where the manifest or the hub says so.
    pub(crate) fn size(&self) -> Option<u64> {
        self.file.size.or_else(|| self.hub.as_ref().and_then(|(_, _, metadata)| metadata.size))
    }

    /// Where its bytes are gathered.
    pub(crate) fn partial(&self) -> PathBuf {
        let mut name = self.blob.clone().into_os_string();
        name.push(".incomplete");
        name.into()
    }
}

/// Asks the hub for every file of a source; all must come from one commit.
pub(crate) fn remote<'a>(
    manifest: &Manifest,
    cache: &Cache,
    source: &Source,
    files: &[&'a FileEntry],
    client: &Client,
) -> Result<Vec<Job<'a>>, HubError> {
    let repository = cache.repository(manifest.repository_type, &source.repository);
    let mut commit: Option<String> = None;
    let mut jobs = Vec::new();
    for file in files {
        let revision = commit.as_deref().unwrap_or(&source.revision);
        let url = client.url(manifest.repository_type, &source.repository, revision, &file.path);
        let metadata = client.metadata(&url, revision)?;
        match &commit {
            Some(commit) if *commit != metadata.commit => {
                let reason =
                    format!("mixed revisions: expected commit {commit}, found {}", metadata.commit);
                return Err(HubError::Server { url, reason });
            }
            _ => commit = Some(metadata.commit.clone()),
        }
        place::check_promise(&url, file, &metadata)?;
        let name = place::blob_name(&url, file, &metadata)?;
        let snapshot = repository.join("snapshots").join(&metadata.commit);
        let locks = cache.hub().join(".locks").join(repository.file_name().unwrap_or_default());
        jobs.push(Job {
            file,
            url,
            target: snapshot.join(&file.path),
            blob: repository.join("blobs").join(&name),
            lock: locks.join(format!("{name}.lock")),
            hub: Some((repository.clone(), source.revision.clone(), metadata)),
        });
    }
    Ok(jobs)
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
