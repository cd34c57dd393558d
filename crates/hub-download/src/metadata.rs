//! What a hub says of a file before it is fetched: its commit, its hash, its size.

use crate::http::{Client, Failure, MAX_REDIRECTS, circles, target};
use crate::retry::Retry;
use hub::is_commit;
use hub::{HubError, RepositoryType, Source};

/// What a hub says of a file before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The commit it belongs to: 40 hexadecimal digits.
    pub(crate) commit: String,
    /// SHA-256 of large files, git's hash of small ones.
    pub(crate) etag: Option<String>,
    /// Bytes.
    pub(crate) size: Option<u64>,
}

/// Address of a repository's file at a revision.
pub(crate) fn address(
    client: &Client,
    kind: RepositoryType,
    source: &Source,
    revision: &str,
    path: &str,
) -> String {
    let kind = match kind {
        RepositoryType::Model => "",
        RepositoryType::Dataset => "datasets/",
    };
    let (endpoint, repository) = (client.endpoint(), &source.repository);
    format!("{endpoint}/{kind}{repository}/resolve/{}/{path}", revision.replace('/', "%2F"))
}

/// Asks for a file's metadata, again where that makes sense.
///
/// # Errors
/// [`HubError::Server`] where the server does not answer, refuses, or answers with another commit
/// than the one that was asked for.
pub(crate) fn metadata(
    client: &Client,
    url: &str,
    revision: &str,
    retry: &mut Retry<'_>,
) -> Result<Metadata, HubError> {
    loop {
        match ask(client, url, revision) {
            Ok(metadata) => return Ok(metadata),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Range { reason }) => return Err(server(url, reason)),
            Err(Failure::Passing { reason, pause }) => {
                if !retry.again(0, &reason, pause) {
                    return Err(server(url, format!("{reason} ({} attempts)", retry.failures())));
                }
            }
        }
    }
}

fn ask(client: &Client, url: &str, revision: &str) -> Result<Metadata, Failure> {
    let mut address = url.to_string();
    for _ in 0..=MAX_REDIRECTS {
        let response = client.exchange("HEAD", &address, 0)?;
        let header = |name: &str| response.header(name).map(str::to_string);
        let moved = (300..400).contains(&response.status());
        let commit = header("x-repo-commit");
        // A renamed repository answers with a relative address; storage with one elsewhere,
        // and the hub's own headers on the redirect itself.
        if moved && commit.is_none() {
            address = target(&address, &response)?;
            continue;
        }
        let etag = header("x-linked-etag").or_else(|| if moved { None } else { header("etag") });
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_string());
        let size = header("x-linked-size")
            .or_else(|| if moved { None } else { header("content-length") })
            .and_then(|size| size.parse().ok());
        let commit = commit.unwrap_or_else(|| revision.to_string());
        if !is_commit(&commit) {
            let reason = format!(
                "the server does not say which commit `{revision}` is (no X-Repo-Commit): is \
                 HF_ENDPOINT a hub?"
            );
            return Err(server(url, reason).into());
        }
        if is_commit(revision) && !commit.eq_ignore_ascii_case(revision) {
            let reason = format!("asked for commit {revision}, the server answers with {commit}");
            return Err(server(url, reason).into());
        }
        return Ok(Metadata { commit, etag, size });
    }
    Err(circles(url))
}

fn server(url: &str, reason: impl Into<String>) -> HubError {
    HubError::Server { url: url.into(), reason: reason.into() }
}
