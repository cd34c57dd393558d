//! Fetching what a manifest names.

mod client;
mod job;
mod options;
mod place;
mod transfer;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::{Cache, FileEntry, HubError, Manifest, Settings, Source, Variant};
use client::Client;
use job::{Job, remote};
pub use options::{DownloadEvent, DownloadOptions};

/// One file of a manifest and what is to be done for it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The file.
    pub file: FileEntry,
    /// Where it is, if it is here.
    pub present: Option<PathBuf>,
}

/// Which files a manifest needs, and which of them are here.
pub fn plan(manifest: &Manifest, variant: Option<Variant>, settings: &Settings) -> Vec<Planned> {
    let cache = Cache::new(settings);
    let files = manifest.files_of(variant).into_iter();
    files.map(|f| Planned { file: f.clone(), present: cache.find(manifest, f) }).collect()
}

/// What is told about the progress.
pub(crate) type Listener<'a> = &'a (dyn Fn(DownloadEvent<'_>) + Sync);

/// Fetches the files of a manifest that are not here, several at a time, and returns where each
/// is, in the manifest's order.
///
/// Every file is verified before it gets its place in the cache. A download that was interrupted
/// goes on where it stopped; several processes may run at once.
///
/// # Errors
/// [`HubError`] saying which file failed and why; what arrived of it stays for the next time.
pub fn download(
    manifest: &Manifest,
    options: &DownloadOptions,
    settings: &Settings,
    listen: &(dyn Fn(DownloadEvent<'_>) + Sync),
) -> Result<Vec<PathBuf>, HubError> {
    let client = Client::new(settings, options);
    let cache = Cache::new(settings);
    let files = manifest.files_of(options.variant);
    let offline = |what: &str| HubError::Server {
        url: settings.endpoint.clone(),
        reason: format!("`{what}` is not here, and HF_HUB_OFFLINE forbids fetching it"),
    };
    let sources = manifest.sources();
    if sources.is_empty() {
        let jobs = files.iter().map(|file| Job::direct(&cache, file)).collect();
        if settings.offline && files.iter().any(|file| !cache.checkpoint(file).is_file()) {
            return Err(offline(&manifest.name));
        }
        return run(jobs, &client, options, listen);
    }
    for source in &sources {
        if let Some(here) = local(manifest, &cache, source, &files) {
            return verified(&files, here, options, listen);
        }
    }
    if settings.offline {
        return Err(offline(&manifest.name));
    }
    let mut failures = Vec::new();
    for source in &sources {
        let jobs = match remote(manifest, &cache, source, &files, &client) {
            Ok(jobs) => jobs,
            // Withdrawn or locked: another source may still have it.
            Err(error @ HubError::Server { .. }) => {
                failures.push(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        return run(jobs, &client, options, listen);
    }
    let reasons: Vec<String> = failures.iter().map(HubError::to_string).collect();
    match failures.len() {
        1 => Err(failures.remove(0)),
        _ => Err(HubError::Server {
            url: format!("none of {} sources of `{}`", sources.len(), manifest.name),
            reason: reasons.join("; "),
        }),
    }
}

/// Where the files of a source are, if all of them are here.
fn local(
    manifest: &Manifest,
    cache: &Cache,
    source: &Source,
    files: &[&FileEntry],
) -> Option<Vec<PathBuf>> {
    let folder = cache.snapshot(manifest.repository_type, source)?;
    let path = |file: &&FileEntry| Some(folder.join(&file.path)).filter(|path| path.is_file());
    files.iter().map(path).collect()
}

/// Checks files that are here.
fn verified(
    files: &[&FileEntry],
    paths: Vec<PathBuf>,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<Vec<PathBuf>, HubError> {
    for (file, path) in files.iter().zip(&paths) {
        if options.verify {
            place::verify(path, file, None)?;
        }
        listen(DownloadEvent::Present { file: &file.path });
    }
    Ok(paths)
}

/// Works on the jobs with several threads; the first error stops those that wait.
fn run(
    jobs: Vec<Job<'_>>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<Vec<PathBuf>, HubError> {
    place::check_room(&jobs)?;
    let queue: Mutex<VecDeque<&Job<'_>>> = Mutex::new(jobs.iter().collect());
    let failure: Mutex<Option<HubError>> = Mutex::new(None);
    let next = || match failure.lock() {
        Ok(failure) if failure.is_none() => queue.lock().ok()?.pop_front(),
        _ => None,
    };
    std::thread::scope(|scope| {
        for _ in 0..options.workers.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some(job) = next() {
                    if let Err(error) = place::fetch(job, client, options, listen)
                        && let Ok(mut failure) = failure.lock()
                    {
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    match failure.into_inner() {
        Ok(None) => {}
        Ok(Some(error)) => return Err(error),
        Err(poisoned) => {
            let error = poisoned.into_inner();
            return Err(error.unwrap_or_else(|| HubError::Server {
                url: String::new(),
                reason: "a download thread stopped unexpectedly".into(),
            }));
        }
    }
    for job in &jobs {
        place::write_reference(job)?;
    }
    Ok(jobs.into_iter().map(|job| job.target).collect())
}
