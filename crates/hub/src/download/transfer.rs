use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use super::client::{Client, Failure};
use super::job::Job;
use super::{DownloadEvent, DownloadOptions, Listener};
use crate::HubError;

/// Gathers a file's bytes in its partial file, attempt after attempt, until all are there.
pub(crate) fn gather(
    job: &Job<'_>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<(), HubError> {
    let (partial, name) = (job.partial(), job.file.path.as_str());
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let resumed = length(&partial);
    listen(DownloadEvent::Started { file: name, size: job.size().unwrap_or(0), resumed });
    let mut failures = 0;
    loop {
        let before = length(&partial);
        let (reason, pause) = match attempt(job, client, &partial, before, listen) {
            Ok(()) => return Ok(()),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing { reason, pause }) => (reason, pause),
        };
        failures = if length(&partial) > before { 1 } else { failures + 1 };
        if failures >= options.attempts.max(1) {
            return Err(HubError::Server {
                url: job.url.clone(),
                reason: format!(
                    "{reason}; {} bytes are kept in `{}`, the same command goes on there",
                    length(&partial),
                    partial.display()
                ),
            });
        }
        listen(DownloadEvent::Retrying { file: name, reason: &reason });
        std::thread::sleep(client.pause(failures, pause));
    }
}

/// One connection: appends what it gives to the partial file.
fn attempt(
    job: &Job<'_>,
    client: &Client,
    partial: &Path,
    from: u64,
    listen: Listener<'_>,
) -> Result<(), Failure> {
    let expected = job.size();
    if expected == Some(from) && from > 0 {
        return Ok(());
    }
    let fatal = |error: HubError| Failure::Final(error);
    let lie = |reason: String| fatal(HubError::Server { url: job.url.clone(), reason });
    // More than there can be is of another file.
    let from = if expected.is_some_and(|size| from > size) { 0 } else { from };
    let response = match client.open(&job.url, from) {
        Err(Failure::Final(HubError::Server { reason, .. })) if reason.starts_with("416") => {
            std::fs::remove_file(partial).map_err(HubError::io(partial)).map_err(fatal)?;
            return Err(Failure::Passing { reason, pause: None });
        }
        other => other?,
    };
    let header = |name: &str| response.header(name).map(str::to_string);
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, total) = match response.status() {
        206 => {
            let range = header("content-range").unwrap_or_default();
            let (bounds, total) =
                range.trim_start_matches("bytes ").split_once('/').unwrap_or_default();
            let start = bounds.split('-').next().and_then(number);
            if start != Some(from) {
                return Err(lie(format!("asked for bytes from {from}, found `{range}`")));
            }
            (from, number(total))
        }
        // The server does not resume: from the beginning again.
        200 => (0, header("content-length").as_deref().and_then(number)),
        status => return Err(lie(format!("expected 200 or 206, found {status}"))),
    };
    if let (Some(expected), Some(total)) = (expected, total)
        && expected != total
    {
        return Err(lie(format!("expected {expected} bytes, the server offers {total}")));
    }
    let size = expected.or(total);
    let mut file = append(partial, start).map_err(HubError::io(partial)).map_err(fatal)?;
    let mut reader = response.into_reader();
    let (mut bytes, mut buffer) = (start, vec![0; 1 << 17]);
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = format!("the connection broke after {bytes} bytes: {error}");
                return Err(Failure::Passing { reason, pause: None });
            }
        };
        bytes += read as u64;
        if let Some(size) = size.filter(|size| bytes > *size) {
            return Err(lie(format!("expected {size} bytes, the server sends more")));
        }
        file.write_all(&buffer[..read]).map_err(HubError::io(partial)).map_err(fatal)?;
        listen(DownloadEvent::Advanced { file: &job.file.path, bytes });
    }
    file.sync_data().map_err(HubError::io(partial)).map_err(fatal)?;
    match size.filter(|size| bytes < *size) {
        Some(size) => Err(Failure::Passing {
            reason: format!("expected {size} bytes, the connection ended after {bytes}"),
            pause: None,
        }),
        None => Ok(()),
    }
}

/// The partial file, cut to `start` bytes and open at its end.
fn append(partial: &Path, start: u64) -> std::io::Result<File> {
    std::fs::create_dir_all(super::job::folder_of(partial))?;
    let file = OpenOptions::new().create(true).append(true).open(partial)?;
    file.set_len(start)?;
    Ok(file)
}
