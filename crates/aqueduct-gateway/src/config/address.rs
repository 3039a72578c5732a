//! Addresses: where to listen (`host:port`) and where to send (a URL, or `host:port` for gRPC).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::errors::Finding;
use super::position::Setting;
use super::read::Field;

/// A listen address, with the setting it comes from.
///
/// Complete: host, port and origin are all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// A host name or an IP literal without brackets. Resolved when binding.
    pub host: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
    /// The setting, for "port in use".
    pub setting: Setting,
}

impl Listen {
    /// The address that no file set, on 127.0.0.1.
    pub fn by_default(port: u16, path: impl Into<String>) -> Self {
        Self { host: "127.0.0.1".to_owned(), port, setting: Setting::by_default(path) }
    }

    /// Whether both cannot be bound in one process.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.port == other.port && self.port != 0 && overlap(&self.host, &other.host)
    }
}

/// `host:port`, brackets around IPv6 literals: what a bind or `to_socket_addrs` takes.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether two listen hosts share an address: the same one, or one of them is the wildcard. Other names are compared
/// as text; what they resolve to shows when binding.
fn overlap(a: &str, b: &str) -> bool {
    let address = |host: &str| match host {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.parse::<IpAddr>().ok(),
    };
    match (address(a), address(b)) {
        (Some(a), Some(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (Some(one), None) | (None, Some(one)) => one.is_unspecified(),
        (None, None) => a.eq_ignore_ascii_case(b),
    }
}

impl Field<'_> {
    /// Reads a listen address.
    pub(crate) fn listen(&self) -> Option<Listen> {
        const EXPECTED: &str = "an address to listen on, host:port, such as 127.0.0.1:4317 or 0.0.0.0:4317";
        let text = self.text(EXPECTED)?;
        match split(text) {
            Ok((host, port)) => {
                // Like in Go, no host means every address of the machine.
                let host = if host.is_empty() { "0.0.0.0".to_owned() } else { host };
                let setting = Setting { path: self.path.clone(), position: Some(self.node.at) };
                Some(Listen { host, port, setting })
            }
            Err(why) => {
                self.fail(self.wrong(EXPECTED).with_help(why));
                None
            }
        }
    }

    /// Reads a host on its own.
    pub(crate) fn host(&self) -> Option<String> {
        const EXPECTED: &str = "a host name or an IP address";
        match split(&format!("{}:0", bracketed(self.text(EXPECTED)?))) {
            Ok((host, _)) if !host.is_empty() => Some(host),
            _ => {
                self.fail(self.wrong(EXPECTED));
                None
            }
        }
    }

    /// Reads where an OTLP exporter sends to, as a URL without a trailing slash.
    pub(crate) fn endpoint(&self, kind: &Target) -> Option<(String, Security)> {
        let text = self.text(kind.expected)?;
        match kind.url(text) {
            Ok(found) => Some(found),
            // An address may hold a password by mistake: the text is repeated only if it cannot.
            Err(why) if text.contains('@') => {
                self.fail(Finding::new(self.node.at, self.path.clone(), why));
                None
            }
            Err(why) => {
                self.fail(self.wrong(kind.expected).with_help(why));
                None
            }
        }
    }
}

/// What an address says about TLS by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// `http://`: plaintext is meant.
    Plaintext,
    /// No scheme: `tls.insecure` decides.
    Unsaid,
}

/// The rules for one exporter's addresses.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) expected: &'static str,
    /// The address may be `host:port` and has no path.
    pub(crate) grpc: bool,
    /// The URL is that of one signal and used as it is.
    pub(crate) one_signal: bool,
}

impl Target {
    pub(crate) const GRPC: Self = Self {
        expected: "the address of an OTLP/gRPC server, such as collector:4317",
        grpc: true,
        one_signal: false,
    };
    pub(crate) const HTTP: Self = Self {
        expected: "the URL of an OTLP/HTTP server, such as http://collector:4318",
        grpc: false,
        one_signal: false,
    };
    pub(crate) const SIGNAL: Self = Self {
        expected: "the URL for one signal, such as http://collector:4318/v1/traces",
        grpc: false,
        one_signal: true,
    };

    fn url(&self, text: &str) -> Result<(String, Security), String> {
        let (authority, security) = match text.split_once("://") {
            Some(("http", rest)) => (rest, Security::Plaintext),
            Some(("https", _)) => {
                return Err("TLS is not supported yet: send to a local plaintext address, http://host:port"
                    .to_owned());
            }
            Some((scheme, _)) => {
                let scheme = super::yaml::shorten(scheme);
                return Err(format!("the scheme `{scheme}://` is not supported: write http://host:port"));
            }
            None if self.grpc => (text, Security::Unsaid),
            None => {
                return Err(format!("the scheme is missing: write http://{}", super::yaml::shorten(text)));
            }
        };
        let (authority, path) = match authority.find('/') {
            Some(slash) => authority.split_at(slash),
            None => (authority, ""),
        };
        if authority.contains('@') {
            return Err("credentials in an address are not supported: send them with `headers`".to_owned());
        }
        let path = path.trim_end_matches('/');
        if self.grpc && !path.is_empty() {
            return Err("a gRPC address has no path".to_owned());
        }
        if !path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\'))
        {
            return Err("a path has no query, fragment or spaces".to_owned());
        }
        let suffix =
            ["/v1/traces", "/v1/metrics", "/v1/logs"].into_iter().find(|suffix| path.ends_with(suffix));
        if let (Some(suffix), false) = (suffix, self.one_signal) {
            return Err(format!(
                "{suffix} is added by the exporter: leave it out, or use `traces_endpoint` and its like"
            ));
        }
        let authority =
            if !self.grpc && !has_port(authority) { format!("{authority}:80") } else { authority.to_owned() };
        let (host, port) = split(&authority)?;
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        if port == 0 {
            return Err("port 0 cannot be sent to".to_owned());
        }
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok((format!("http://{authority}{path}"), security))
    }
}

/// An IPv6 literal in brackets, anything else as it is.
fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

/// Whether a port follows the host, whose own colons (IPv6) are in brackets.
fn has_port(authority: &str) -> bool {
    authority.rsplit_once(']').map_or(authority, |(_, after)| after).contains(':')
}

/// Splits `host:port`. IPv6 literals need brackets, as everywhere.
fn split(text: &str) -> Result<(String, u16), String> {
    if text.contains("://") {
        return Err("a listen address has no scheme: write host:port".to_owned());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("an IPv6 address needs brackets: write [{text}]:port"));
    }
    let Some((host, port)) = text.rsplit_once(':').filter(|_| has_port(text)) else {
        return Err("the port is missing: write host:port".to_owned());
    };
    let port = match port.parse::<u16>() {
        Ok(number) if port.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => return Err(format!("`{}` is no port (0 to 65535)", super::yaml::shorten(port))),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(literal) if literal.parse::<Ipv6Addr>().is_ok() => literal,
        Some(literal) => return Err(format!("`{}` is no IPv6 address", super::yaml::shorten(literal))),
        None if host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) => host,
        None => return Err(format!("`{}` is no host name or IP address", super::yaml::shorten(host))),
    };
    Ok((host.to_owned(), port))
}
