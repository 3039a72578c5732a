//! Which proxy, if any, lies on the way to a peer.

#[cfg(any(feature = "grpc", feature = "http"))]
mod exceptions;

use std::fmt;

#[cfg(any(feature = "grpc", feature = "http"))]
use aqueduct_wire::base64;
#[cfg(any(feature = "grpc", feature = "http"))]
use aqueduct_wire::grpc::decode_message;
#[cfg(any(feature = "grpc", feature = "http"))]
use http::uri::Authority;

#[cfg(any(feature = "grpc", feature = "http"))]
use crate::endpoint::{Endpoint, Scheme};
#[cfg(any(feature = "grpc", feature = "http"))]
use crate::error::ConfigError;

/// HTTP proxies on the way to the peer.
///
/// A proxy is asked for a tunnel (CONNECT) whatever the endpoint's scheme and protocol: it sees nothing of the
/// requests, TLS is with the peer, and names are looked up by the proxy. A proxy that allows tunnels to port 443 alone says
/// so with status 403. Proxies are `http://[user[:password]@]host[:port]`, the scheme being optional and the port 80 if there
/// is none; neither `https://` nor `socks5://` proxies are spoken to.
///
/// Loopback peers (`localhost`, 127.0.0.0/8, ::1) and unix sockets are never behind a proxy. The default is no proxy
/// at all: the environment is read by [`from_env`](Self::from_env) and
/// [`ClientConfig::from_env`](crate::ClientConfig::from_env) only.
///
/// ```
/// use aqueduct_transport::{ClientConfig, Protocol, ProxyConfig};
///
/// let mut config = ClientConfig::new("https://collector.example:4317", Protocol::Grpc);
/// config.proxy.https = Some("http://me:secret@proxy.example:3128".into());
/// config.proxy.no_proxy = ProxyConfig::split(".internal, 10.0.0.0/8");
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "HTTP_PROXY")]
#[doc(alias = "HTTPS_PROXY")]
#[doc(alias = "NO_PROXY")]
pub struct ProxyConfig {
    /// The proxy for `http://` endpoints. Default none.
    pub http: Option<String>,
    /// The proxy for `https://` endpoints. Default none.
    pub https: Option<String>,
    /// Peers that are reached without a proxy. Each entry is one of: `*` for all; a name, which stands for its
    /// subdomains as well; `.name` or `*.name` for the subdomains alone; an address; a network (`10.0.0.0/8`). All but
    /// the first and the last may have a `:port` and then mean that port alone. Names are not looked up: an address matches
    /// an endpoint that is written with an address. Other entries match nothing. Default none.
    pub no_proxy: Vec<String>,
}

impl ProxyConfig {
    /// What the process's environment says: see [`from_vars`](Self::from_vars).
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Reads `http_proxy`, `https_proxy`, `no_proxy` and, for what the first two leave open, `all_proxy`; each also in
    /// capitals, which count if the small one is not set or empty, as they do for curl.
    ///
    /// `HTTP_PROXY` in capitals does not count if `REQUEST_METHOD` is set: in a CGI program anyone can set it with a
    /// header `Proxy`.
    #[must_use]
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let either = |name: &str| set(name).or_else(|| set(&name.to_ascii_uppercase()));
        let all = either("all_proxy");
        let http = match set("REQUEST_METHOD") {
            Some(_) => set("http_proxy"),
            None => either("http_proxy"),
        };
        Self {
            http: http.or_else(|| all.clone()),
            https: either("https_proxy").or(all),
            no_proxy: Self::split(&either("no_proxy").unwrap_or_default()),
        }
    }

    /// The entries of a list as it stands in `NO_PROXY`: separated by commas or spaces.
    #[must_use]
    pub fn split(list: &str) -> Vec<String> {
        let separator = |c: char| c == ',' || c.is_ascii_whitespace();
        list.split(separator).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyConfig")
            .field("http", &self.http.as_deref().map(masked))
            .field("https", &self.https.as_deref().map(masked))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

/// A URL without its credentials. What lies before the last `@` may be a password, whatever characters it has, and a query may be a key.
pub(crate) fn masked(url: &str) -> String {
    let (hidden, shown) = match url.rsplit_once('@') {
        // One of the two belongs to the other.
        Some((before, _)) if before.contains('?') => return "..".to_owned(),
        Some((_, rest)) => ("..@", rest),
        None => ("", url),
    };
    match shown.split_once('?') {
        Some((shown, _)) => format!("{hidden}{shown}?.."),
        None => format!("{hidden}{shown}"),
    }
}

/// A proxy to go through.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `proxy-authorization`.
    pub(crate) authorization: Option<String>,
}

#[cfg(any(feature = "grpc", feature = "http"))]
impl Proxy {
    /// The proxy on the way to this place.
    pub(crate) fn choose(config: &ProxyConfig, place: &Endpoint) -> Result<Option<Self>, ConfigError> {
        let url = match place.scheme {
            Scheme::Http => &config.http,
            Scheme::Https => &config.https,
        };
        match url {
            Some(url) if !exceptions::except(&config.no_proxy, &place.host, place.port) => {
                let wrong = |reason| ConfigError::Proxy { proxy: masked(url), reason };
                Self::parse(url).map(Some).map_err(wrong)
            }
            Some(_) | None => Ok(None),
        }
    }

    fn parse(url: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is no proxy of the form http://[user:password@]host[:port]";
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err("TLS to the proxy itself is not supported; use http://");
            }
            Some(_) => return Err("only http:// proxies are supported"),
        };
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let place: Authority =
            place.split(['/', '?', '#']).next().unwrap_or_default().parse().map_err(|_| FORM)?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match place.as_str().get(place.host().len()..).unwrap_or_default().strip_prefix(':') {
            None => 80,
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or(FORM)?,
        };
        if host.is_empty() {
            return Err(FORM);
        }
        Ok(Self { host, port, authorization: credentials.map(basic) })
    }
}

/// The header value for these percent-encoded credentials (RFC 7617).
#[cfg(any(feature = "grpc", feature = "http"))]
fn basic(credentials: &str) -> String {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let plain = [decode_message(user.as_bytes()), decode_message(password.as_bytes())].join(":");
    format!("Basic {}", base64::encode_padded(plain.as_bytes()))
}

#[cfg(all(test, any(feature = "grpc", feature = "http")))]
mod tests;
