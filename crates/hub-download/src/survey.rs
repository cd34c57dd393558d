//! Asks a hub for the files of a repository, and refuses promises that are not the manifest's.

use crate::http::{Client, brief};
use crate::job::{Job, Origin};
use crate::metadata::{Metadata, address, metadata};
use crate::options::{DownloadOptions, Listener};
use crate::retry::Retry;
use crate::watch::watched;
use hub::{Cache, FileEntry, HubError, Manifest, Source};

/// Most characters of a hash that is also a file's name; SHA-512 in hexadecimal has as many.
const LONGEST_ETAG: usize = 128;

/// Asks the hub for every file of a source; all must come from one commit.
///
/// # Errors
/// [`HubError::Server`] where it has no such file, or another than the manifest's.
pub(crate) fn survey<'a>(
    manifest: &Manifest,
    source: &Source,
    files: &[&'a FileEntry],
    (cache, client): (&Cache, &Client),
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<Vec<Job<'a>>, HubError> {
    let kind = manifest.repository_type;
    let mut commit: Option<String> = None;
    let mut jobs = Vec::new();
    for &file in files {
        let revision = commit.as_deref().unwrap_or(&source.revision);
        let url = address(client, kind, source, revision, &file.path);
        let metadata = watched(&file.path, options.notice, listen, |listen| {
            metadata(client, &url, revision, &mut Retry::new(&file.path, 0, options, listen))
        })?;
        commit = Some(metadata.commit.clone());
        check_promise(&url, file, &metadata)?;
        let blob = blob_name(&url, file, &metadata)?;
        let origin = Origin {
            repository: cache.repository(kind, &source.repository),
            revision: source.revision.clone(),
            commit: metadata.commit.clone(),
        };
        jobs.push(Job::of_repository(cache, file, url, origin, &metadata, &blob));
    }
    Ok(jobs)
}

/// Whether what the hub says of a file fits what the manifest says.
fn check_promise(url: &str, file: &FileEntry, metadata: &Metadata) -> Result<(), HubError> {
    let other = |expected: String, found: String| {
        let reason =
            format!("another file than the manifest's: expected {expected}, found {found}");
        Err(HubError::Server { url: url.into(), reason })
    };
    match (file.size, metadata.size) {
        (Some(expected), Some(found)) if expected != found => {
            return other(format!("{expected} bytes"), format!("{found}"));
        }
        _ => {}
    }
    match (file.digest(), &metadata.etag) {
        (Some(digest), Some(etag)) if etag.len() == 64 && !digest.matches(etag) => {
            other(digest.to_string(), format!("sha256 {etag}"))
        }
        _ => Ok(()),
    }
}

/// The name the cache stores a file's bytes under: the hub's, or the manifest's hash.
fn blob_name(url: &str, file: &FileEntry, metadata: &Metadata) -> Result<String, HubError> {
    let name = metadata.etag.clone().or_else(|| file.sha256.clone()).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.len() <= LONGEST_ETAG && name.bytes().all(plain) {
        return Ok(name);
    }
    let name = brief(&name);
    let reason =
        format!("expected an ETag of letters and digits, at most {LONGEST_ETAG}, found `{name}`");
    Err(HubError::Server { url: url.into(), reason })
}
