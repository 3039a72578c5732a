//! Endpoint URLs: what is accepted, and what becomes of it.

use aqueduct_wire::Signal;
use http::Uri;
use http::uri::{Authority, PathAndQuery};

use crate::error::ConfigError;

/// Where to connect to and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
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
    /// `http://host:port[/path]` or, gRPC being usually configured so, `host:port`.
    #[cfg(any(feature = "grpc", feature = "tonic"))]
    pub(crate) fn grpc(endpoint: &str) -> Result<Self, ConfigError> {
        let lower = endpoint.to_ascii_lowercase();
        if lower.contains("://") || lower.starts_with("unix:") {
            return Self::parse(endpoint, endpoint, 4317);
        }
        Self::parse(endpoint, &format!("http://{endpoint}"), 4317)
    }

    /// `http://host:port[/path]`.
    #[cfg(feature = "http")]
    pub(crate) fn http(endpoint: &str) -> Result<Self, ConfigError> {
        Self::parse(endpoint, endpoint, 80)
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

    fn parse(original: &str, url: &str, default_port: u16) -> Result<Self, ConfigError> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        let unsupported = |reason| Err(ConfigError::Scheme { endpoint: original.to_owned(), reason });
        match scheme.as_str() {
            "https" => {
                return unsupported("TLS is not supported yet by this version; use http:// or a TLS proxy");
            }
            "unix" => return unsupported("unix sockets are not supported yet by this version; use http://"),
            "http" => {}
            _ => return Err(invalid(original, "expected http://host:port")),
        }
        let uri: Uri = url.parse().map_err(|error| invalid(original, error))?;
        let parts = uri.into_parts();
        let authority = parts.authority.ok_or_else(|| invalid(original, "no host"))?;
        if authority.as_str().contains('@') {
            return Err(ConfigError::Endpoint {
                // The original holds a password.
                endpoint: format!("http://..@{}", authority.host()),
                reason: "credentials in a URL end up in logs; put them into a header".to_owned(),
            });
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
        Ok(Self { host, port, authority, path })
    }

    /// The full URL of one signal's method or resource.
    pub(crate) fn uri(&self) -> Uri {
        Uri::builder()
            .scheme("http")
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
    ConfigError::Endpoint { endpoint: endpoint.to_owned(), reason: reason.to_string() }
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
        ] {
            assert_eq!(grpc(given), Ok((host.to_owned(), port, format!("{prefix}{path}"))), "{given}");
        }
    }

    /// Guards against connecting somewhere unintended, and in clear text where TLS was asked for.
    #[cfg(feature = "grpc")]
    #[test]
    fn refused_endpoints() {
        for (given, says) in [
            ("https://localhost:4317", "TLS is not supported"),
            ("unix:/run/otel.sock", "unix sockets are not supported"),
            ("unix:///run/otel.sock", "unix sockets are not supported"),
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
        let said = grpc("http://user:hunter2@host:4317").expect_err("credentials");
        assert!(!said.contains("hunter2"), "{said}");
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
    }
}
