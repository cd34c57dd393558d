//! Gathers a file's bytes, connection after connection.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use files::folder_of;
use ureq::Response;

use crate::http::{Client, Failure, brief};
use crate::job::Job;
use crate::options::{DownloadEvent, DownloadOptions, Listener};
use crate::retry::{LEAST_PROGRESS, Retry};
use crate::silence::Pieces;
use hub::HubError;

/// Most bytes of a file whose size nobody says: hubs say it of everything that is large.
const MOST_UNSAID: u64 = 1 << 30;

/// Gathers a file's bytes in its partial file, attempt after attempt, until all are there.
///
/// # Errors
/// [`HubError`] saying why it is given up; what arrived stays.
pub(crate) fn gather(
    job: &Job<'_>,
    client: &Client,
    options: &DownloadOptions,
    listen: Listener<'_>,
) -> Result<(), HubError> {
    let (partial, name) = (job.partial(), job.file.path.as_str());
    let resumed = job.gathered();
    let size = job.expected.size().unwrap_or(0);
    listen(DownloadEvent::Started { file: name, size, resumed });
    let mut retry = Retry::new(name, resumed, options, listen);
    loop {
        let (reason, pause) = match attempt(job, client, &partial, options.silence, listen) {
            Ok(()) => return Ok(()),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing { reason, pause }) => (reason, pause),
            Err(Failure::Range { reason }) => {
                std::fs::remove_file(&partial).map_err(HubError::at(&partial))?;
                (format!("{reason}; from the beginning again"), None)
            }
        };
        if !retry.again(job.gathered(), &reason, pause) {
            let kept = match job.gathered() {
                0 => String::new(),
                bytes => format!(
                    "; {bytes} bytes are kept in `{}`, the same command goes on there",
                    partial.display()
                ),
            };
            return Err(lie(job, format!("{reason}{kept}")));
        }
    }
}

/// One connection: appends what it gives to the partial file.
fn attempt(
    job: &Job<'_>,
    client: &Client,
    partial: &Path,
    silence: Duration,
    listen: Listener<'_>,
) -> Result<(), Failure> {
    let (expected, gathered) = (job.expected.size(), job.gathered());
    if expected == Some(gathered) && gathered > 0 {
        return Ok(());
    }
    // More than there can be is of another file.
    let from = if expected.is_some_and(|size| gathered > size) { 0 } else { gathered };
    let response = client.open(&job.url, from)?;
    if let Some(coding) = response.header("content-encoding").filter(|coding| *coding != "identity")
    {
        let reason = format!("expected the file as it is, found it coded as `{}`", brief(coding));
        return Err(lie(job, reason).into());
    }
    let (start, total) = match offered(&response, from) {
        Ok(offered) => offered,
        // What is gathered may be of no use, which must not be the end.
        Err(reason) if from > 0 => return Err(Failure::Range { reason }),
        Err(reason) => return Err(lie(job, reason).into()),
    };
    if let (Some(expected), Some(total)) = (expected, total)
        && expected != total
    {
        let reason = format!("expected {expected} bytes, the server offers {total}");
        return Err(lie(job, reason).into());
    }
    receive(job, partial, response, (start, expected.or(total)), silence, listen)
}

/// The first byte that an answer brings, and the bytes the whole file has.
fn offered(response: &Response, from: u64) -> Result<(u64, Option<u64>), String> {
    let number = |text: &str| text.parse::<u64>().ok();
    match response.status() {
        206 => {
            let range = response.header("content-range").unwrap_or_default();
            let (bounds, total) =
                range.trim_start_matches("bytes ").split_once('/').unwrap_or_default();
            let start = bounds.split('-').next().and_then(number);
            if start != Some(from) {
                return Err(format!("asked for bytes from {from}, found `{}`", brief(range)));
            }
            Ok((from, number(total)))
        }
        // The server does not resume: from the beginning again.
        200 => Ok((0, response.header("content-length").and_then(number))),
        status => Err(format!("expected 200 or 206, found {status}")),
    }
}

/// Appends a body to the partial file, cut to `start` bytes, until `size` bytes are there. A server
/// that sends next to nothing for as long as it may be silent is silent.
fn receive(
    job: &Job<'_>,
    partial: &Path,
    response: Response,
    (start, size): (u64, Option<u64>),
    silence: Duration,
    listen: Listener<'_>,
) -> Result<(), Failure> {
    let mut file = append(partial, start).map_err(HubError::at(partial))?;
    let pieces = Pieces::of(response.into_reader(), silence);
    let mut bytes = start;
    let (mut since, mut before) = (Instant::now(), start);
    loop {
        let piece = match pieces.next() {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                let reason = match error.kind() {
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                        format!("nothing came for {} s after {bytes} bytes", silence.as_secs())
                    }
                    _ => format!(
                        "the connection broke after {bytes} bytes: {}",
                        brief(&error.to_string())
                    ),
                };
                return Err(Failure::Passing { reason, pause: None });
            }
        };
        bytes += piece.len() as u64;
        let most = size.unwrap_or(MOST_UNSAID);
        if bytes > most {
            return Err(lie(job, format!("expected {most} bytes, the server sends more")).into());
        }
        file.write_all(&piece).map_err(HubError::at(partial))?;
        listen(DownloadEvent::Advanced { file: &job.file.path, bytes });
        if since.elapsed() >= silence {
            let (came, time) = (bytes - before, since.elapsed().as_secs());
            if came < LEAST_PROGRESS && size != Some(bytes) {
                let reason = format!("only {came} bytes came in {time} s");
                return Err(Failure::Passing { reason, pause: None });
            }
            (since, before) = (Instant::now(), bytes);
        }
    }
    file.sync_data().map_err(HubError::at(partial))?;
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
    std::fs::create_dir_all(folder_of(partial))?;
    let file = OpenOptions::new().create(true).append(true).open(partial)?;
    file.set_len(start)?;
    Ok(file)
}

fn lie(job: &Job<'_>, reason: String) -> HubError {
    HubError::Server { url: job.url.clone(), reason }
}
