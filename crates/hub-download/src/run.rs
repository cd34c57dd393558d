//! A whole package: what of it is here and intact, what is to be fetched, from which source.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::expected::Expected;
use crate::fetch::{fetch, look};
use crate::http::Client;
use crate::job::Job;
use crate::options::{DownloadEvent, DownloadOptions, Listener};
use crate::store::{check_room, write_reference};
use crate::survey::survey;
use hub::{Cache, FileEntry, HubError, Manifest, Settings, Source, Variant};

/// One file of a manifest and what is to be done for it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The file.
    pub file: FileEntry,
    /// Where it is, if it is here and has the right size.
    pub present: Option<PathBuf>,
}

/// Which files a manifest needs, and which of them are here.
pub fn plan(manifest: &Manifest, variant: Option<Variant>, settings: &Settings) -> Vec<Planned> {
    let cache = Cache::new(settings);
    let present = |file: &FileEntry| {
        cache.find(manifest, file).filter(|path| cache.check(file, path).is_ok())
    };
    let files = manifest.files_of(variant).into_iter();
    files.map(|file| Planned { file: file.clone(), present: present(file) }).collect()
}

/// Fetches the files of a manifest that are not here or damaged, several at a time, and returns
/// where each is, in the manifest's order.
///
/// The sizes of files that are here are compared, with [`DownloadOptions::verify`] their hashes
/// too. Every file is verified before it gets its place in the cache. A download that was
/// interrupted goes on where it stopped; several processes may run at once.
///
/// # Errors
/// [`HubError`] saying which file failed and why; what arrived of it stays for the next time.
pub fn download(
    manifest: &Manifest,
    options: &DownloadOptions,
    settings: &Settings,
    listen: &(dyn Fn(DownloadEvent<'_>) + Sync),
) -> Result<Vec<PathBuf>, HubError> {
    manifest.check_variant(options.variant)?;
    let cache = Cache::new(settings);
    let files = manifest.files_of(options.variant);
    let sources = manifest.sources();
    let mut damage = None;
    for places in places(manifest, &cache, &files, &sources) {
        match intact(&cache, &files, places, options, listen)? {
            Ok(paths) => return Ok(paths),
            Err(first) => damage = damage.or(first),
        }
    }
    if settings.offline {
        return Err(damage.unwrap_or_else(|| HubError::Server {
            url: settings.endpoint.clone(),
            reason: format!(
                "`{}` is not here, and HF_HUB_OFFLINE forbids fetching it",
                manifest.name
            ),
        }));
    }
    let client = Client::new(settings, options)?;
    if sources.is_empty() {
        let jobs = files.iter().map(|file| Job::direct(&cache, file)).collect();
        return run(jobs, &client, options, listen);
    }
    let mut failures = Vec::new();
    for (place, source) in sources.iter().enumerate() {
        match survey(manifest, source, &files, (&cache, &client), options, listen) {
            Ok(jobs) => return run(jobs, &client, options, listen),
            // Withdrawn or locked: another source may still have it.
            Err(error @ HubError::Server { .. }) => {
                if let Some(Source { repository, revision }) = sources.get(place + 1) {
                    let next = format!("{repository}@{revision}");
                    let (package, reason) = (manifest.name.as_str(), &*error.to_string());
                    listen(DownloadEvent::OtherSource { package, reason, next: &next });
                }
                failures.push(error);
            }
            Err(error) => return Err(error),
        }
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

/// Where the files would be, of each source that has a snapshot here.
fn places(
    manifest: &Manifest,
    cache: &Cache,
    files: &[&FileEntry],
    sources: &[Source],
) -> Vec<Vec<PathBuf>> {
    if sources.is_empty() {
        return vec![files.iter().map(|file| cache.checkpoint(file)).collect()];
    }
    let snapshots = sources.iter().filter_map(|s| cache.snapshot(manifest.repository_type, s));
    snapshots.map(|folder| files.iter().map(|file| folder.join(&file.path)).collect()).collect()
}

/// The paths where all files are here as they should be, else the first damage, if there is one.
fn intact(
    cache: &Cache,
    files: &[&FileEntry],
    paths: Vec<PathBuf>,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<Result<Vec<PathBuf>, Option<HubError>>, HubError> {
    let (mut damage, mut whole) = (None, Vec::new());
    for (file, path) in files.iter().zip(&paths).filter(|(_, path)| path.is_file()) {
        let expected = Expected::of(file).promised(None, cache.blob(path).as_deref());
        match expected.check(path, look(options)) {
            Ok(_) => whole.push(file.path.as_str()),
            Err(error @ HubError::Different { .. }) => {
                let reason = error.to_string();
                listen(DownloadEvent::Damaged { file: &file.path, reason: &reason });
                damage = damage.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    if whole.len() < files.len() {
        return Ok(Err(damage));
    }
    whole.iter().for_each(|file| listen(DownloadEvent::Present { file }));
    Ok(Ok(paths))
}

/// Works on the jobs with several threads; the first error stops those that wait.
fn run(
    jobs: Vec<Job<'_>>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<Vec<PathBuf>, HubError> {
    check_room(&jobs)?;
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
                    if let Err(error) = fetch(job, client, options, listen)
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
        write_reference(job)?;
    }
    Ok(jobs.into_iter().map(|job| job.target).collect())
}
