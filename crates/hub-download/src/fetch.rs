//! One file from its server to its place in the cache, verified before it gets there.

use crate::expected::Look;
use crate::http::Client;
use crate::job::Job;
use crate::options::{DownloadEvent, DownloadOptions, Listener};
use crate::store::{link, lock};
use crate::transfer::gather;
use crate::watch::watched;
use hub::HubError;

/// Fetches one file, unless it is here or arrives while another process fetches it.
///
/// What is damaged stays until its successor is whole.
///
/// # Errors
/// [`HubError`] saying which file failed and why; what arrived of it stays for the next time.
pub(crate) fn fetch(
    job: &Job<'_>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<(), HubError> {
    let name = job.file.path.as_str();
    watched(name, options.notice, listen, |listen| {
        let _lock = lock(&job.lock)?;
        if stored(job, options, listen)? {
            link(job)?;
            listen(DownloadEvent::Present { file: name });
            return Ok(());
        }
        let verified = gathered(job, client, options, listen)?;
        std::fs::rename(job.partial(), &job.blob).map_err(HubError::at(&job.blob))?;
        link(job)?;
        listen(DownloadEvent::Finished { file: name, verified });
        Ok(())
    })
}

/// Whether the file is in its place or in the store as it should be.
fn stored(
    job: &Job<'_>,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<bool, HubError> {
    let mut damage = None;
    for path in [&job.target, &job.blob] {
        if path.is_file() {
            match job.expected.check(path, look(options)) {
                Ok(_) => return Ok(true),
                Err(error @ HubError::Different { .. }) => damage = Some(error.to_string()),
                Err(error) => return Err(error),
            }
        }
    }
    // Of a damaged file in its place was said when the package was looked for.
    if let Some(reason) = damage.filter(|_| !job.target.is_file()) {
        listen(DownloadEvent::Damaged { file: &job.file.path, reason: &reason });
    }
    Ok(false)
}

/// Gathers the whole file and compares it; returns whether a hash was known.
fn gathered(
    job: &Job<'_>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<bool, HubError> {
    let partial = job.partial();
    let resumed = partial.exists();
    let whole = || {
        gather(job, client, options, listen)?;
        job.expected.check(&partial, Look::Whole)
    };
    let discard = |error: HubError| match error {
        HubError::Different { expected, found, .. } => {
            std::fs::remove_file(&partial).map_err(HubError::at(&partial))?;
            let found = format!("{found} in what {} sent, which was not kept", job.url);
            Err(HubError::Different { path: job.target.clone(), expected, found })
        }
        _ => Err(error),
    };
    match whole().or_else(discard) {
        // The beginning was left by another run and may be of another file.
        Err(error @ HubError::Different { .. }) if resumed => {
            let reason = format!("the resumed file is another: {error}");
            let pause = std::time::Duration::ZERO;
            listen(DownloadEvent::Retrying { file: &job.file.path, reason: &reason, pause });
            whole().or_else(discard)
        }
        other => other,
    }
}

/// How closely files that are here are looked at.
pub(crate) fn look(options: &DownloadOptions) -> Look {
    if options.verify { Look::Whole } else { Look::Quick }
}
