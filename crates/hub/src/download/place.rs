use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::client::{Client, Metadata};
use super::job::{Job, folder_of};
use super::transfer::gather;
use super::{DownloadEvent, DownloadOptions, Listener};
use crate::{Digest, FileEntry, HubError, hash_file};

/// Whether what the hub says of a file fits what the manifest says.
pub(crate) fn check_promise(
    url: &str,
    file: &FileEntry,
    metadata: &Metadata,
) -> Result<(), HubError> {
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
pub(crate) fn blob_name(
    url: &str,
    file: &FileEntry,
    metadata: &Metadata,
) -> Result<String, HubError> {
    let name = metadata.etag.clone().or_else(|| file.sha256.clone()).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(name);
    }
    let reason = format!("expected an ETag of letters and digits, found `{name}`");
    Err(HubError::Server { url: url.into(), reason })
}

/// Fetches one file, unless it is here or arrives while another process fetches it.
pub(crate) fn fetch(
    job: &Job<'_>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<(), HubError> {
    let _lock = lock(&job.lock)?;
    let name = job.file.path.as_str();
    let etag = job.hub.as_ref().and_then(|(_, _, metadata)| metadata.etag.as_deref());
    if job.blob.is_file() {
        let size = std::fs::metadata(&job.blob).map_err(HubError::io(&job.blob))?.len();
        let complete = job.size().is_none_or(|expected| expected == size);
        // What another program left here half-written is not used.
        if complete && (!options.verify || verify(&job.blob, job.file, etag).is_ok()) {
            link(job)?;
            listen(DownloadEvent::Present { file: name });
            return Ok(());
        }
        std::fs::remove_file(&job.blob).map_err(HubError::io(&job.blob))?;
    }
    let partial = job.partial();
    let fresh = !partial.exists();
    gather(job, client, options, listen)?;
    let verified = match verify(&partial, job.file, etag) {
        Ok(verified) => verified,
        Err(error) => {
            std::fs::remove_file(&partial).map_err(HubError::io(&partial))?;
            if fresh {
                return Err(error);
            }
            // The beginning was left by another run and may be of another file.
            listen(DownloadEvent::Retrying {
                file: name,
                reason: "the resumed file has a wrong hash",
            });
            gather(job, client, options, listen)?;
            verify(&partial, job.file, etag).inspect_err(|_| {
                let _ = std::fs::remove_file(&partial);
            })?
        }
    };
    std::fs::rename(&partial, &job.blob).map_err(HubError::io(&job.blob))?;
    link(job)?;
    listen(DownloadEvent::Finished { file: name, verified });
    Ok(())
}

/// Compares a file with all that is known of it; returns whether a hash was known.
pub(crate) fn verify(path: &Path, file: &FileEntry, etag: Option<&str>) -> Result<bool, HubError> {
    let hash = hash_file(path)?;
    let different = |expected: String, found: String| {
        Err(HubError::Different { path: path.to_path_buf(), expected, found })
    };
    if let Some(size) = file.size.filter(|size| *size != hash.size) {
        return different(format!("{size} bytes"), format!("{}", hash.size));
    }
    if let Some(digest) = file.digest().filter(|digest| !digest.matches(&hash.sha256)) {
        return different(digest.to_string(), hash.sha256);
    }
    match etag.and_then(|etag| Some((etag, hash.answers(etag)?))) {
        Some((etag, false)) => {
            let found = if etag.len() == 64 { hash.sha256 } else { hash.git };
            different(format!("the hub's hash {etag}"), found)
        }
        Some((_, true)) => Ok(true),
        None => Ok(matches!(file.digest(), Some(Digest::Full(_) | Digest::Prefix(_)))),
    }
}

/// Gives a stored file its name in the snapshot.
fn link(job: &Job<'_>) -> Result<(), HubError> {
    if job.hub.is_none() || job.target.is_file() {
        return Ok(());
    }
    let folder = folder_of(&job.target);
    std::fs::create_dir_all(folder).map_err(HubError::io(folder))?;
    // A dangling link of an earlier, removed file.
    let _ = std::fs::remove_file(&job.target);
    let depth = job.file.path.matches('/').count() + 2;
    let blob = job.blob.file_name().unwrap_or_default();
    let relative = Path::new(&"../".repeat(depth)).join("blobs").join(blob);
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&relative, &job.target);
    #[cfg(not(unix))]
    let linked = std::fs::hard_link(&job.blob, &job.target)
        .map_err(|_| relative)
        .or_else(|_| std::fs::copy(&job.blob, &job.target).map(|_| ()));
    linked.map_err(HubError::io(&job.target))
}

/// Writes which commit a branch is.
pub(crate) fn write_reference(job: &Job<'_>) -> Result<(), HubError> {
    let Some((repository, revision, metadata)) = &job.hub else { return Ok(()) };
    if *revision == metadata.commit {
        return Ok(());
    }
    let path = repository.join("refs").join(revision);
    std::fs::create_dir_all(folder_of(&path)).map_err(HubError::io(&path))?;
    let io = |source| HubError::Io { path: path.clone(), source };
    let mut file = tempfile::NamedTempFile::new_in(folder_of(&path)).map_err(io)?;
    file.write_all(metadata.commit.as_bytes()).map_err(io)?;
    file.persist(&path).map(|_| ()).map_err(|error| io(error.error))
}

/// Waits until no other process fetches the same file.
fn lock(path: &Path) -> Result<File, HubError> {
    std::fs::create_dir_all(folder_of(path)).map_err(HubError::io(path))?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(HubError::io(path))?;
    file.lock().map_err(HubError::io(path))?;
    Ok(file)
}

/// Whether the disk has room for what is still to come.
pub(crate) fn check_room(jobs: &[Job<'_>]) -> Result<(), HubError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let missing = |job: &&Job<'_>| !job.blob.is_file();
    let needed: u64 = jobs
        .iter()
        .filter(missing)
        .map(|job| job.size().unwrap_or(0).saturating_sub(length(&job.partial())))
        .sum();
    let Some(job) = jobs.iter().find(missing) else { return Ok(()) };
    let folder = folder_of(&job.blob);
    std::fs::create_dir_all(folder).map_err(HubError::io(folder))?;
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > free {
        return Err(HubError::Room { path: folder.to_path_buf(), needed, free });
    }
    Ok(())
}
