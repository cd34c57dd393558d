//! Which proxy an address is asked through.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub::HubError;

use crate::http::brief;

/// A proxy and the variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) variable: &'static str,
    /// `host:port`, or `host`.
    pub(crate) address: String,
    /// `user:password`.
    credentials: Option<String>,
}

/// The proxies that the environment names for each scheme, and the hosts that need none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    without: Vec<String>,
}

impl Proxy {
    /// As `ureq` reads it.
    pub(crate) fn url(&self) -> String {
        let credentials =
            self.credentials.iter().map(|text| format!("{text}@")).collect::<String>();
        format!("http://{credentials}{}", self.address)
    }

    /// The error where it cannot be one.
    pub(crate) fn wrong(&self) -> HubError {
        HubError::Setting { name: self.variable, reason: expected(&self.address) }
    }

    /// The value of `Proxy-Authorization`, which requests without a tunnel carry themselves.
    pub(crate) fn authorization(&self) -> Option<String> {
        self.credentials.as_ref().map(|text| format!("Basic {}", STANDARD.encode(text)))
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "through the proxy {} of {}", self.address, self.variable)
    }
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in small letters first, from
    /// `lookup`.
    ///
    /// # Errors
    /// [`HubError::Setting`] for a proxy that is none of HTTP's; its password is not shown.
    pub(crate) fn from_lookup(
        lookup: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, HubError> {
        let first = |names: [&'static str; 4]| {
            let named =
                |name| lookup(name).filter(|value| !value.trim().is_empty()).map(|v| (name, v));
            names
                .into_iter()
                .find_map(named)
                .map(|(name, value)| parse(name, value.trim()))
                .transpose()
        };
        let without = ["no_proxy", "NO_PROXY"].into_iter().find_map(&lookup).unwrap_or_default();
        Ok(Self {
            http: first(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
            https: first(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            without: without.split(',').map(|host| host.trim().to_lowercase()).collect(),
        })
    }

    /// Each of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.http.iter().chain(&self.https)
    }

    /// That of an address, where there is one.
    pub(crate) fn of(&self, url: &str) -> Option<&Proxy> {
        let (scheme, rest) = url.split_once("://")?;
        let proxy = if scheme == "https" { &self.https } else { &self.http };
        let authority = rest.split(['/', '?']).next().unwrap_or_default().to_lowercase();
        let host = authority.rsplit_once(':').map_or(&*authority, |(host, _)| host);
        let is = |name: &&String| {
            let name = name.trim_start_matches('.');
            let inside = |host: &str| {
                host.strip_suffix(name).is_some_and(|left| left.is_empty() || left.ends_with('.'))
            };
            name == "*" || !name.is_empty() && (inside(host) || inside(&authority))
        };
        proxy.as_ref().filter(|_| !self.without.iter().any(|name| is(&name)))
    }
}

fn parse(variable: &'static str, value: &str) -> Result<Proxy, HubError> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let rest = rest.trim_end_matches('/');
    let (credentials, address) = match rest.rsplit_once('@') {
        Some((credentials, address)) => (Some(credentials.to_string()), address),
        None => (None, rest),
    };
    let port = address.rsplit_once(':').map(|(_, port)| port);
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let proxy = Proxy { variable, address: address.into(), credentials };
    if scheme != "http" || address.is_empty() || address.contains(['/', ' ']) || !is_port {
        let found = format!("{scheme}://{address}");
        return Err(HubError::Setting { reason: expected(&found), name: variable });
    }
    Ok(proxy)
}

fn expected(found: &str) -> String {
    format!("expected a proxy `http://host:port`, found `{}`", brief(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&'static str, &str)]) -> Result<Proxies, String> {
        let lookup = |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        Proxies::from_lookup(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn of_goes_by_scheme_and_leaves_out_what_needs_none() {
        let proxies = read(&[
            ("HTTPS_PROXY", "http://a:1"),
            ("ALL_PROXY", "user:x%40y@b:2/"),
            ("all_proxy", ""),
            ("NO_PROXY", "localhost, .inside.org,*.x,host:8080"),
        ])
        .unwrap();
        let of = |url: &str| proxies.of(url).map(|proxy| proxy.address.clone());
        assert_eq!(of("https://huggingface.co/a").as_deref(), Some("a:1"));
        assert_eq!(of("http://huggingface.co/a").as_deref(), Some("b:2"));
        for url in [
            "http://LOCALHOST:80/a",
            "https://inside.org",
            "https://a.inside.org/x",
            "http://host:8080/",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
        for url in ["http://host:81/", "https://notinside.org/", "https://inside.org.com"] {
            assert!(of(url).is_some(), "{url}");
        }
        let named = proxies.of("http://h/").unwrap();
        assert_eq!(named.authorization().as_deref(), Some("Basic dXNlcjp4JTQweQ=="));
        assert_eq!(named.url(), "http://user:x%40y@b:2");
        assert!(!named.to_string().contains("user"));
        assert_eq!(read(&[("NO_PROXY", "*"), ("HTTP_PROXY", "a:1")]).unwrap().of("http://h"), None);
        assert_eq!(
            read(&[]).unwrap(),
            Proxies { without: vec![String::new()], ..Proxies::default() }
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for value in
            ["https://u:secret@a:1", "socks5h://u:secret@a:1", "http://u:secret@a:b", "http://"]
        {
            let error = read(&[("HTTP_PROXY", value)]).unwrap_err();
            assert!(error.contains("HTTP_PROXY") && !error.contains("secret"), "{error}");
        }
    }
}
