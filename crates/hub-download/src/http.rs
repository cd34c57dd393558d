//! HTTP with a hub: redirects, the token, and which failures pass.

use std::error::Error;
use std::io::{self, ErrorKind::TimedOut, ErrorKind::WouldBlock};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ureq::{Agent, AgentBuilder, ErrorKind, Request, Response, Transport};

use crate::options::DownloadOptions;
use crate::proxy::{Proxies, Proxy};
use crate::silence::within;
use hub::{HubError, Settings};

/// Redirects that are followed before a server is taken to go in circles.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Most characters of a server's text that are shown.
const MOST_SHOWN: usize = 200;
/// What `ureq` says where a certificate is of nobody it trusts, and where TLS is answered otherwise.
const NOT_TRUSTED: &str = "invalid peer certificate";
const NO_TLS: &str = "InvalidContentType";

/// Speaks HTTP with a hub.
pub(crate) struct Client {
    agent: Agent,
    /// One for each proxy.
    proxied: Vec<(Proxy, Agent)>,
    proxies: Proxies,
    endpoint: String,
    token: Option<String>,
    silence: Duration,
}

/// Why an exchange failed.
pub(crate) enum Failure {
    /// It makes sense to try again, after a pause the server may have asked for.
    Passing { reason: String, pause: Option<Duration> },
    /// The server does not give the file from the wanted byte on.
    Range { reason: String },
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
    /// [`HubError::Token`] where the token cannot be one, [`HubError::Setting`] for an address of the
    /// hub, or a proxy, that is none.
    pub(crate) fn new(settings: &Settings, options: &DownloadOptions) -> Result<Self, HubError> {
        let endpoint = settings.endpoint.clone();
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            let reason =
                format!("expected an address with `https://`, found `{}`", brief(&endpoint));
            return Err(HubError::Setting { name: "HF_ENDPOINT", reason });
        }
        let builder = || {
            AgentBuilder::new()
                .timeout_connect(options.silence)
                .timeout_read(options.silence)
                .timeout_write(options.silence)
                // Used again, a connection has no time limits.
                .max_idle_connections(0)
                .redirects(0)
                .user_agent(concat!("unet-reweight/", env!("CARGO_PKG_VERSION")))
        };
        let proxies = Proxies::from_lookup(|name| std::env::var(name).ok())?;
        let mut proxied = Vec::new();
        for proxy in proxies.all() {
            let url = ureq::Proxy::new(proxy.url()).map_err(|_| proxy.wrong())?;
            proxied.push((proxy.clone(), builder().proxy(url).build()));
        }
        let token = settings.token.as_ref().map(|token| token.secret().map(str::to_string));
        Ok(Self {
            agent: builder().build(),
            proxied,
            proxies,
            endpoint,
            token: token.transpose()?,
            silence: options.silence,
        })
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
        let proxy = self.proxies.of(url);
        let own = proxy.and_then(|proxy| self.proxied.iter().find(|(one, _)| one == proxy));
        let agent = own.map_or(&self.agent, |(_, agent)| agent);
        let mut request = agent.request(method, url).set("Accept-Encoding", "identity");
        if let Some(token) = self.token.as_ref().filter(|_| host(url) == host(&self.endpoint)) {
            request = request.set("Authorization", &format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.set("Range", &format!("bytes={from}-"));
        }
        // Through a tunnel only the proxy is told, by `ureq`.
        let tunnel = url.starts_with("https://");
        if let Some(words) = proxy.and_then(Proxy::authorization).filter(|_| !tunnel) {
            request = request.set("Proxy-Authorization", &words);
        }
        let through = proxy.map_or_else(String::new, |proxy| format!(" ({proxy})"));
        let error = match within(self.silence, || answer(request)) {
            Some(answer) => match answer? {
                Ok(response) if response.status() < 200 => {
                    let reason = format!("{}: an interim answer, and no other", response.status());
                    return Err(Failure::Final(HubError::Server { url: brief(url), reason }));
                }
                Ok(response) => return Ok(response),
                Err(error) => *error,
            },
            None => {
                let reason = format!("no answer within {} s{through}", self.silence.as_secs());
                return Err(Failure::Passing { reason, pause: None });
            }
        };
        Err(match error {
            ureq::Error::Status(416, _) if from > 0 => Failure::Range {
                reason: format!("416: the server has nothing from byte {from} on"),
            },
            ureq::Error::Status(407, _) => unauthorized(url, proxy),
            ureq::Error::Status(status, response) => self.refusal(url, status, &response, &through),
            ureq::Error::Transport(error) if error.kind() == ErrorKind::ProxyUnauthorized => {
                unauthorized(url, proxy)
            }
            ureq::Error::Transport(error) => self.broken(url, &error, &through),
        })
    }

    /// The failure of a connection.
    fn broken(&self, url: &str, error: &Transport, through: &str) -> Failure {
        // It begins with the address that was asked, which the caller says where it matters.
        let text = error.to_string();
        let asked = error.url().map(|address| format!("{address}: "));
        let text =
            asked.and_then(|start| text.strip_prefix(&start).map(String::from)).unwrap_or(text);
        let lasting = [
            (NOT_TRUSTED, "the certificate authorities of Mozilla's list are trusted, no others"),
            (
                NO_TLS,
                "what answers there does not speak TLS: is the address to begin with `http://`?",
            ),
        ];
        if let Some((_, advice)) = lasting.iter().find(|(sign, _)| text.contains(sign)) {
            let reason = format!("{}{through}; {advice}", brief(&text));
            return Failure::Final(HubError::Server { url: brief(url), reason });
        }
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let silent = cause.is_some_and(|cause| [WouldBlock, TimedOut].contains(&cause.kind()));
        let reason = match silent || text.contains("timed out") {
            true => format!("no answer within {} s{through}", self.silence.as_secs()),
            false => format!("{}{through}", brief(&text)),
        };
        Failure::Passing { reason, pause: None }
    }

    fn refusal(&self, url: &str, status: u16, response: &Response, through: &str) -> Failure {
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
                let reason = format!("{status} {}{through}", brief(response.status_text()));
                return Failure::Passing { reason, pause: pause.map(Duration::from_secs) };
            }
            _ => format!("{status} {}", brief(response.status_text())),
        };
        Failure::Final(HubError::Server { url: brief(url), reason: format!("{reason}{through}") })
    }
}

/// A server's text, cut where it is long.
pub(crate) fn brief(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.into(),
    }
}

/// The failure of a proxy that wants to know who asks.
fn unauthorized(url: &str, proxy: Option<&Proxy>) -> Failure {
    let reason = match proxy {
        Some(proxy) => format!(
            "407 ({proxy}): it wants a user and a password, as in `http://user:password@{}`",
            proxy.address
        ),
        None => "407 from a server that is no proxy".into(),
    };
    Failure::Final(HubError::Server { url: brief(url), reason })
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
    Failure::Final(HubError::Server { url: brief(url), reason })
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
    if let Some(elsewhere) = location.strip_prefix("//") {
        let scheme = from.split_once("://").map_or("https", |(scheme, _)| scheme);
        return Ok(format!("{scheme}://{elsewhere}"));
    }
    if location.starts_with('/') {
        return Ok(format!("{}{location}", host(from)));
    }
    let reason = match location {
        "" => format!("{} without an address", response.status()),
        _ => format!("{} with an unusable address `{}`", response.status(), brief(location)),
    };
    Err(Failure::Final(HubError::Server { url: brief(from), reason }))
}
