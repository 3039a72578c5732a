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

    /// Reads where an OTLP exporter sends to, as a URL without a trailing slash: `http://` in clear text, `https://` with TLS, or
    /// `unix:/path`. `insecure` decides for addresses without a scheme.
    pub(crate) fn endpoint(&self, kind: &Target, insecure: bool) -> Option<String> {
        let text = self.text(kind.expected)?;
        match kind.url(text, insecure) {
            Ok(url) => Some(url),
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

    /// Reads the URL of a proxy, which may hold a password: messages do not repeat it.
    pub(crate) fn proxy(&self) -> Option<&str> {
        let text = self.text("the URL of a proxy, such as http://proxy:3128")?;
        match check_proxy(text) {
            Ok(()) => Some(text),
            Err(why) => {
                self.fail(Finding::new(self.node.at, self.path.clone(), why));
                None
            }
        }
    }
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

    fn url(&self, text: &str, insecure: bool) -> Result<String, String> {
        let (scheme, authority) = match text.split_once("://") {
            _ if text.starts_with("unix:") => return self.socket(text),
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            Some((scheme, _)) => {
                let scheme = super::yaml::shorten(scheme);
                return Err(format!(
                    "the scheme `{scheme}://` is not supported: write http://, https:// or unix:/path"
                ));
            }
            // As for the collector, an address without a scheme means TLS unless told otherwise.
            None if self.grpc => (if insecure { "http" } else { "https" }, text),
            None => {
                let text = super::yaml::shorten(text);
                return Err(format!("the scheme is missing: write http://{text}, or https:// for TLS"));
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
        // Without a port the URL stays as it is written, and so does the name that the server is asked for.
        let default_port = !self.grpc && !has_port(authority);
        let (host, port) = match default_port {
            true => split(&format!("{authority}:80"))?,
            false => split(authority)?,
        };
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        if port == 0 {
            return Err("port 0 cannot be sent to".to_owned());
        }
        let host = bracketed(&host);
        let port = if default_port { String::new() } else { format!(":{port}") };
        Ok(format!("{scheme}://{host}{port}{path}"))
    }

    /// `unix:/path` or `unix:///path`, as gRPC names sockets.
    fn socket(&self, text: &str) -> Result<String, String> {
        if self.one_signal {
            return Err("a socket serves every signal: write it as `endpoint`".to_owned());
        }
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or_default();
        // A relative path would depend on where the gateway was started.
        if !path.starts_with('/') || path.contains('\0') {
            return Err("write the absolute path of the socket: unix:/run/collector.sock".to_owned());
        }
        Ok(format!("unix:{path}"))
    }
}

/// Whether this URL, as [`Field::endpoint`] makes it, is that of a peer on this machine, which no proxy is asked for.
pub(crate) fn is_local(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return true };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match has_port(authority) {
        true => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        false => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// `http://[user[:password]@]host[:port]`.
fn check_proxy(text: &str) -> Result<(), String> {
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => {
            return Err("TLS to the proxy itself is not supported: write http://host:port".to_owned());
        }
        Some(_) => return Err("only http:// proxies are supported: write http://host:port".to_owned()),
        None => return Err("the scheme is missing: write http://host:port".to_owned()),
    };
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place).trim_end_matches('/');
    let (host, port) = if has_port(place) { split(place)? } else { split(&format!("{place}:80"))? };
    match (host.is_empty(), port) {
        (true, _) => Err("the host of the proxy is missing".to_owned()),
        (false, 0) => Err("port 0 cannot be connected to".to_owned()),
        (false, _) => Ok(()),
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
