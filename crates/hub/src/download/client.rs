use std::time::Duration;

use ureq::{Agent, AgentBuilder, Response};

use super::DownloadOptions;
use crate::{HubError, RepositoryType, Settings};

/// Redirects that are followed before a server is taken to go in circles.
const MAX_REDIRECTS: usize = 5;
/// Longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Speaks HTTP with a hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    attempts: usize,
    pause: Duration,
}

/// What a hub says of a file before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The commit it belongs to.
    pub(crate) commit: String,
    /// SHA-256 of large files, git's hash of small ones.
    pub(crate) etag: Option<String>,
    /// Bytes.
    pub(crate) size: Option<u64>,
}

/// Why an exchange failed.
pub(crate) enum Failure {
    /// It makes sense to try again, after a pause the server may have asked for.
    Passing { reason: String, pause: Option<Duration> },
    /// It does not.
    Final(HubError),
}

impl Client {
    pub(crate) fn new(settings: &Settings, options: &DownloadOptions) -> Self {
        let agent = AgentBuilder::new()
            .timeout_connect(options.silence)
            .timeout_read(options.silence)
            .timeout_write(options.silence)
            .redirects(0)
            .try_proxy_from_env(true)
            .user_agent(concat!("unet-reweight/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent,
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            attempts: options.attempts.max(1),
            pause: options.pause,
        }
    }

    /// Address of a repository's file.
    pub(crate) fn url(
        &self,
        kind: RepositoryType,
        repository: &str,
        revision: &str,
        path: &str,
    ) -> String {
        let kind = match kind {
            RepositoryType::Model => "",
            RepositoryType::Dataset => "datasets/",
        };
        format!(
            "{}/{kind}{repository}/resolve/{}/{path}",
            self.endpoint,
            revision.replace('/', "%2F")
        )
    }

    /// How long to wait after so many failures in a row.
    pub(crate) fn pause(&self, failures: usize, asked: Option<Duration>) -> Duration {
        let own = self.pause.saturating_mul(1 << failures.saturating_sub(1).min(6));
        asked.unwrap_or(own).min(LONGEST_PAUSE)
    }

    /// Asks for a file's metadata, again where that makes sense.
    pub(crate) fn metadata(&self, url: &str, revision: &str) -> Result<Metadata, HubError> {
        let mut failures = 0;
        loop {
            match self.metadata_once(url, revision) {
                Ok(metadata) => return Ok(metadata),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { reason, pause }) => {
                    failures += 1;
                    if failures >= self.attempts {
                        let reason = format!("{reason} ({failures} attempts)");
                        return Err(HubError::Server { url: url.into(), reason });
                    }
                    std::thread::sleep(self.pause(failures, pause));
                }
            }
        }
    }

    fn metadata_once(&self, url: &str, revision: &str) -> Result<Metadata, Failure> {
        let mut address = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange("HEAD", &address, 0)?;
            let header = |name: &str| response.header(name).map(str::to_string);
            let moved = (300..400).contains(&response.status());
            let commit = header("x-repo-commit");
            // A renamed repository answers with a relative address; storage with one elsewhere,
            // and the hub's own headers on the redirect itself.
            if moved && commit.is_none() {
                address = target(&address, &response)?;
                continue;
            }
            let etag =
                header("x-linked-etag").or_else(|| if moved { None } else { header("etag") });
            let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_string());
            let size = header("x-linked-size")
                .or_else(|| if moved { None } else { header("content-length") })
                .and_then(|size| size.parse().ok());
            let is_commit =
                |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let commit = commit.unwrap_or_else(|| revision.to_string());
            if !is_commit(&commit) {
                return Err(Failure::Final(HubError::Server {
                    url: url.into(),
                    reason: format!(
                        "the server does not say which commit `{revision}` is (no X-Repo-Commit): \
                         is HF_ENDPOINT a hub?"
                    ),
                }));
            }
            return Ok(Metadata { commit, etag, size });
        }
        Err(circles(url))
    }

    /// Opens a file's content from byte `from`, following redirects; the token stays at home.
    pub(crate) fn open(&self, url: &str, from: u64) -> Result<Response, Failure> {
        let mut address = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange("GET", &address, from)?;
            if !(300..400).contains(&response.status()) {
                return Ok(response);
            }
            address = target(&address, &response)?;
        }
        Err(circles(url))
    }

    fn exchange(&self, method: &str, url: &str, from: u64) -> Result<Response, Failure> {
        let mut request = self.agent.request(method, url).set("Accept-Encoding", "identity");
        if let Some(token) = self.token.as_ref().filter(|_| host(url) == host(&self.endpoint)) {
            request = request.set("Authorization", &format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.set("Range", &format!("bytes={from}-"));
        }
        match request.call() {
            Ok(response) => Ok(response),
            Err(ureq::Error::Status(status, response)) => Err(self.refusal(url, status, &response)),
            Err(ureq::Error::Transport(error)) => {
                Err(Failure::Passing { reason: error.to_string(), pause: None })
            }
        }
    }

    fn refusal(&self, url: &str, status: u16, response: &Response) -> Failure {
        let pause = response.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let reason = match status {
            401 | 403 if self.token.is_none() => format!(
                "{status}: the repository is private, gated or gone; accept its licence in a \
                 browser, then set HF_TOKEN to a token of that account"
            ),
            401 | 403 => format!(
                "{status}: the token (HF_TOKEN) has no access; accept the repository's licence with \
                 its account, or use another token"
            ),
            404 | 410 => format!("{status}: there is no such file, repository or revision"),
            408 | 425 | 429 | 500..=599 => {
                let reason = format!("{status} {}", response.status_text());
                return Failure::Passing { reason, pause: pause.map(Duration::from_secs) };
            }
            _ => format!("{status} {}", response.status_text()),
        };
        Failure::Final(HubError::Server { url: url.into(), reason })
    }
}

fn circles(url: &str) -> Failure {
    let reason = format!("more than {MAX_REDIRECTS} redirects");
    Failure::Final(HubError::Server { url: url.into(), reason })
}

/// Scheme, host and port of an address.
fn host(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Where a redirect leads.
fn target(from: &str, response: &Response) -> Result<String, Failure> {
    let location = response.header("location").unwrap_or_default();
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.into());
    }
    if location.starts_with('/') {
        return Ok(format!("{}{location}", host(from)));
    }
    let reason = format!("{} with an unusable address `{location}`", response.status());
    Err(Failure::Final(HubError::Server { url: from.into(), reason }))
}
