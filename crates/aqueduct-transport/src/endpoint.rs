//! Endpoint URLs: what is accepted, and what becomes of it.

use std::path::PathBuf;

use aqueduct_wire::Signal;
use http::Uri;
use http::uri::{Authority, PathAndQuery};

use crate::error::ConfigError;
use crate::proxy::masked;

/// Whether there is TLS with the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Where to connect to and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    /// The socket to connect to, instead of host and port.
    pub(crate) socket: Option<PathBuf>,
    /// Name or address to look up, without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// Port to connect to.
    pub(crate) port: u16,
    /// What the peer is told about whom we want to talk to: `:authority` or `Host`.
    pub(crate) authority: Authority,
    /// Path, and query if there is one; at least `/`.
    pub(crate) path: PathAndQuery,
}

impl Endpoint {
    /// A URL or, gRPC being usually configured so, `host:port`.
    #[cfg(any(feature = "grpc", feature = "tonic"))]
    pub(crate) fn grpc(endpoint: &str) -> Result<Self, ConfigError> {
        let lower = endpoint.to_ascii_lowercase();
        if lower.contains("://") || lower.starts_with("unix:") {
            return Self::parse(endpoint, endpoint, 4317, 4317);
        }
        Self::parse(endpoint, &format!("http://{endpoint}"), 4317, 4317)
    }

    /// A URL.
    #[cfg(feature = "http")]
    pub(crate) fn http(endpoint: &str) -> Result<Self, ConfigError> {
        Self::parse(endpoint, endpoint, 80, 443)
    }

    /// The same place, asked for this path below our own.
    pub(crate) fn below(&self, original: &str, path: &str) -> Result<Self, ConfigError> {
        if self.path.query().is_some() {
            return Err(invalid(original, "a query has no place in a base URL"));
        }
        let joined = format!("{}{path}", self.path.path().trim_end_matches('/'));
        let path = PathAndQuery::try_from(joined).map_err(|error| invalid(original, error))?;
        Ok(Self { path, ..self.clone() })
    }

    /// Whether the same connections serve both.
    #[cfg(feature = "http")]
    pub(crate) fn same_peer(&self, other: &Self) -> bool {
        let peer = |place: &Self| (place.scheme, place.host.clone(), place.port, place.socket.clone());
        peer(self) == peer(other)
    }

    /// `port` and `tls_port` are the defaults without and with TLS.
    fn parse(original: &str, url: &str, port: u16, tls_port: u16) -> Result<Self, ConfigError> {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (Scheme::Https, tls_port),
            "http" => (Scheme::Http, port),
            "unix" => return Self::unix(original, rest),
            _ => return Err(invalid(original, "expected http://host:port, https://host:port or unix:/path")),
        };
        let uri: Uri = url.parse().map_err(|error| invalid(original, error))?;
        let parts = uri.into_parts();
        let authority = parts.authority.ok_or_else(|| invalid(original, "no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid(original, "credentials in a URL end up in logs; put them into a header"));
        }
        let host = authority.host();
        let after_host = authority.as_str().get(host.len()..).unwrap_or_default();
        let port = match after_host.strip_prefix(':') {
            None => default_port,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(invalid(original, "the port is no number from 1 to 65535")),
                Ok(port) => port,
            },
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(invalid(original, "no host"));
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { scheme, socket: None, host, port, authority, path })
    }

    /// `unix:path`, `unix:/path` or `unix:///path`, as gRPC names sockets.
    #[cfg(unix)]
    fn unix(original: &str, rest: &str) -> Result<Self, ConfigError> {
        let path = match rest.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(invalid(original, "expected unix:/path or unix:///path")),
            None => rest,
        };
        if path.is_empty() {
            return Err(invalid(original, "no path to a socket"));
        }
        // Too long for the system, or with a byte zero in it.
        std::os::unix::net::SocketAddr::from_pathname(path).map_err(|error| invalid(original, error))?;
        Ok(Self {
            scheme: Scheme::Http,
            socket: Some(PathBuf::from(path)),
            host: "localhost".to_owned(),
            port: 0,
            authority: Authority::from_static("localhost"),
            path: PathAndQuery::from_static("/"),
        })
    }

    #[cfg(not(unix))]
    fn unix(original: &str, _: &str) -> Result<Self, ConfigError> {
        let reason = "this system has no unix sockets; use http:// or https://";
        Err(ConfigError::Scheme { endpoint: original.to_owned(), reason })
    }

    /// The full URL of one signal's method or resource.
    pub(crate) fn uri(&self) -> Uri {
        Uri::builder()
            .scheme(match self.scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            })
            .authority(self.authority.clone())
            .path_and_query(self.path.clone())
            .build()
            // Each part was parsed before, and together they are a URL.
            .unwrap_or_default()
    }
}

/// The URL of each signal's method: the endpoint's path, then the method's.
#[cfg(any(feature = "grpc", feature = "tonic"))]
pub(crate) fn grpc_uris(endpoint: &str) -> Result<(Endpoint, [Uri; Signal::ALL.len()]), ConfigError> {
    let base = Endpoint::grpc(endpoint)?;
    let mut uris = [const { None }; Signal::ALL.len()];
    for signal in Signal::ALL {
        uris[signal.index()] = Some(base.below(endpoint, signal.grpc_path())?.uri());
    }
    Ok((base, uris.map(Option::unwrap_or_default)))
}

/// The place of each signal: its own URL as it stands, or the base URL with the signal's path appended.
#[cfg(feature = "http")]
pub(crate) fn http_endpoints(
    base: &str,
    signals: &[Option<String>; Signal::ALL.len()],
) -> Result<[Endpoint; Signal::ALL.len()], ConfigError> {
    let place = |signal: Signal| match &signals[signal.index()] {
        Some(url) => Endpoint::http(url),
        None => Endpoint::http(base)?.below(base, signal.http_path()),
    };
    // Unrolled because `try_map` of arrays is not stable; the order is that of `Signal::index`.
    let [a, b, c] = Signal::ALL;
    Ok([place(a)?, place(b)?, place(c)?])
}

fn invalid(endpoint: &str, reason: impl ToString) -> ConfigError {
    ConfigError::Endpoint { endpoint: masked(endpoint), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "grpc")]
    fn grpc(endpoint: &str) -> Result<(String, u16, String), String> {
        let (place, uris) = grpc_uris(endpoint).map_err(|error| error.to_string())?;
        Ok((place.host, place.port, uris[Signal::Traces.index()].to_string()))
    }

    /// Guards the spellings users have in their files.
    #[cfg(feature = "grpc")]
    #[test]
    fn grpc_endpoints() {
        let path = Signal::Traces.grpc_path();
        for (given, host, port, prefix) in [
            ("http://localhost:4317", "localhost", 4317, "http://localhost:4317"),
            ("localhost:4317", "localhost", 4317, "http://localhost:4317"),
            ("localhost", "localhost", 4317, "http://localhost"),
            ("HTTP://Collector:1/", "Collector", 1, "http://Collector:1"),
            ("[::1]:4317", "::1", 4317, "http://[::1]:4317"),
            ("http://10.0.0.1:4317/otlp/", "10.0.0.1", 4317, "http://10.0.0.1:4317/otlp"),
            ("https://collector", "collector", 4317, "https://collector"),
            ("HTTPS://collector:443/otlp", "collector", 443, "https://collector:443/otlp"),
        ] {
            assert_eq!(grpc(given), Ok((host.to_owned(), port, format!("{prefix}{path}"))), "{given}");
        }
    }

    /// Guards the names that gRPC has for sockets, whose path is not part of the request.
    #[cfg(all(unix, feature = "grpc"))]
    #[test]
    fn sockets() {
        for (given, path) in [
            ("unix:/run/otel.sock", "/run/otel.sock"),
            ("unix:///run/otel.sock", "/run/otel.sock"),
            ("UNIX:otel.sock", "otel.sock"),
        ] {
            let (place, uris) = grpc_uris(given).expect(given);
            assert_eq!(place.socket.as_deref(), Some(std::path::Path::new(path)), "{given}");
            let method = format!("http://localhost{}", Signal::Logs.grpc_path());
            assert_eq!(uris[Signal::Logs.index()].to_string(), method);
        }
        let long = format!("unix:/{}", "x".repeat(200));
        for (given, says) in [
            ("unix:", "no path"),
            ("unix://", "unix:/path"),
            ("unix://run/otel.sock", "unix:/path"),
            ("unix:/a\0b", "nul"),
            (&long, "SUN_LEN"),
        ] {
            let said = grpc(given).expect_err(given);
            assert!(said.contains(says), "{given}: {said}");
        }
    }

    /// Guards against connecting somewhere unintended.
    #[cfg(feature = "grpc")]
    #[test]
    fn refused_endpoints() {
        for (given, says) in [
            ("ftp://localhost", "expected http://"),
            ("http://", "endpoint \"http://\""),
            ("http://:4317", "endpoint \"http://:4317\""),
            ("localhost:0", "port"),
            ("localhost:99999", "port"),
            ("localhost:", "port"),
            ("", "endpoint"),
            ("two words:4317", "endpoint"),
            ("http://host:1/?q=1", "query"),
        ] {
            let said = grpc(given).expect_err(given);
            assert!(said.contains(says), "{given}: {said}");
        }
    }

    /// Guards against a password in a log line.
    #[cfg(feature = "grpc")]
    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for endpoint in
            ["http://user:hunter2@host:4317", "https://user:hunter2@host", "user:hunter2@host:4317"]
        {
            let said = grpc(endpoint).expect_err("credentials");
            assert!(said.contains("credentials") && !said.contains("hunter2"), "{said}");
        }
    }

    /// Guards the rule that a base URL gets the signal's path and a per-signal URL stays as it is.
    #[cfg(feature = "http")]
    #[test]
    fn http_endpoints_per_signal() {
        let mut own = [const { None }; 3];
        own[Signal::Logs.index()] = Some("http://logs.example/in?key=1".to_owned());
        own[Signal::Metrics.index()] = Some("http://metrics.example:9".to_owned());
        let places = http_endpoints("http://base:4318/otlp/", &own).expect("valid");
        let uri = |signal: Signal| places[signal.index()].uri().to_string();
        assert_eq!(uri(Signal::Traces), "http://base:4318/otlp/v1/traces");
        assert_eq!(uri(Signal::Logs), "http://logs.example/in?key=1");
        assert_eq!(uri(Signal::Metrics), "http://metrics.example:9/");
        assert_eq!(places[Signal::Logs.index()].port, 80);
        assert_eq!(Endpoint::http("https://logs.example").expect("valid").port, 443);
    }
}
