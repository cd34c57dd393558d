//! Places in the cache: who may write one, whether there is room, links and references to it.

use std::fs::{File, OpenOptions};
use std::path::Path;

use files::folder_of;

use crate::job::Job;
use hub::HubError;
use hub::is_commit;

/// Waits until no other process fetches the same file.
pub(crate) fn lock(path: &Path) -> Result<File, HubError> {
    std::fs::create_dir_all(folder_of(path)).map_err(HubError::at(path))?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(HubError::at(path))?;
    file.lock().map_err(HubError::at(path))?;
    Ok(file)
}

/// Gives a stored file its name in the snapshot; what has that name and is another file goes.
pub(crate) fn link(job: &Job<'_>) -> Result<(), HubError> {
    let leads = || Some(job.target.canonicalize().ok()? == job.blob.canonicalize().ok()?);
    if job.origin.is_none() || !job.blob.is_file() || leads() == Some(true) {
        return Ok(());
    }
    let folder = folder_of(&job.target);
    std::fs::create_dir_all(folder).map_err(HubError::at(folder))?;
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
    linked.map_err(HubError::at(&job.target))
}

/// Writes which commit a branch is; a commit needs no such word.
pub(crate) fn write_reference(job: &Job<'_>) -> Result<(), HubError> {
    match &job.origin {
        Some(origin) if !is_commit(&origin.revision) => {
            let path = origin.repository.join("refs").join(&origin.revision);
            Ok(files::write_atomically(path, &origin.commit)?)
        }
        _ => Ok(()),
    }
}

/// Whether the disk has room for what is still to come.
///
/// # Errors
/// [`HubError::Room`] with what is needed and what is free.
pub(crate) fn check_room(jobs: &[Job<'_>]) -> Result<(), HubError> {
    let missing = |job: &&Job<'_>| !job.blob.is_file();
    let rest = |job: &Job<'_>| job.expected.size().unwrap_or(0).saturating_sub(job.gathered());
    let needed: u64 = jobs.iter().filter(missing).map(rest).fold(0, u64::saturating_add);
    let Some(job) = jobs.iter().find(missing) else { return Ok(()) };
    let folder = folder_of(&job.blob);
    std::fs::create_dir_all(folder).map_err(HubError::at(folder))?;
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > free {
        return Err(HubError::Room { path: folder.to_path_buf(), needed, free });
    }
    Ok(())
}
