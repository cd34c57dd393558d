//! HTTP with a hub: redirects, the token, and which failures pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ureq::{Agent, AgentBuilder, Request, Response};

use crate::options::DownloadOptions;
use hub::{HubError, Settings};

/// Redirects that are followed before a server is taken to go in circles.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Speaks HTTP with a hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// Why an exchange failed.
pub(crate) enum Failure {
    /// It makes sense to try again, after a pause the server may have asked for.
    Passing { reason: String, pause: Option<Duration> },
    /// The server has nothing from the wanted byte on.
    Range,
    /// It does not make sense to try again.
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl Client {
    /// # Errors
    /// [`HubError::Token`] where the token cannot be one.
    pub(crate) fn new(settings: &Settings, options: &DownloadOptions) -> Result<Self, HubError> {
        let agent = AgentBuilder::new()
            .timeout_connect(options.silence)
            .timeout_read(options.silence)
            .timeout_write(options.silence)
            .redirects(0)
            .try_proxy_from_env(true)
            .user_agent(concat!("unet-reweight/", env!("CARGO_PKG_VERSION")))
            .build();
        let token = settings.token.as_ref().map(|token| token.secret().map(str::to_string));
        Ok(Self { agent, endpoint: settings.endpoint.clone(), token: token.transpose()? })
    }

    /// The hub's address.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
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

    /// One request and its answer.
    pub(crate) fn exchange(&self, method: &str, url: &str, from: u64) -> Result<Response, Failure> {
        let mut request = self.agent.request(method, url).set("Accept-Encoding", "identity");
        if let Some(token) = self.token.as_ref().filter(|_| host(url) == host(&self.endpoint)) {
            request = request.set("Authorization", &format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.set("Range", &format!("bytes={from}-"));
        }
        let error = match answer(request)? {
            Ok(response) => return Ok(response),
            Err(error) => *error,
        };
        Err(match error {
            ureq::Error::Status(416, _) if from > 0 => Failure::Range,
            ureq::Error::Status(status, response) => self.refusal(url, status, &response),
            ureq::Error::Transport(error) => {
                // It begins with the address that was asked, which the caller says where it matters.
                let text = error.to_string();
                let asked = error.url().map(|address| format!("{address}: "));
                let reason = asked.and_then(|start| text.strip_prefix(&start).map(String::from));
                Failure::Passing { reason: reason.unwrap_or(text), pause: None }
            }
        })
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

/// What a server answers. `ureq` 2.12 panics where it takes the value of a header that has no colon;
/// all are looked at here, so that no later look meets one.
fn answer(request: Request) -> Result<Result<Response, Box<ureq::Error>>, Failure> {
    let call = || {
        let result = request.call().map_err(Box::new);
        let response = match &result {
            Ok(response) => Some(response),
            Err(error) => match &**error {
                ureq::Error::Status(_, response) => Some(response),
                ureq::Error::Transport(_) => None,
            },
        };
        if let Some(response) = response {
            for name in response.headers_names() {
                let _ = response.header(&name);
            }
        }
        result
    };
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
        let reason = "the server's answer has a header that is none".into();
        Failure::Passing { reason, pause: None }
    })
}

/// The failure of a server that redirects for ever.
pub(crate) fn circles(url: &str) -> Failure {
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
pub(crate) fn target(from: &str, response: &Response) -> Result<String, Failure> {
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
