//! Whom an exporter speaks to, as the conventions name it.

use aqueduct_transport::{ClientConfig, Protocol};
use aqueduct_wire::Signal;

/// A server, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) protocol: Protocol,
    pub(crate) address: String,
    /// `None` of a socket in the file system.
    pub(crate) port: Option<u16>,
}

impl Peer {
    pub(crate) fn of(signal: Signal, config: &ClientConfig) -> Peer {
        let endpoint = config.signal_endpoints[signal.index()].as_ref().unwrap_or(&config.endpoint);
        let (address, port) = place(endpoint, config.protocol);
        Peer { protocol: config.protocol, address, port }
    }

    /// `otel.component.type` of the exporter.
    pub(crate) fn component(&self, signal: Signal) -> String {
        let protocol = match self.protocol {
            Protocol::Grpc => "grpc",
            Protocol::HttpJson => "http_json",
            _ => "http",
        };
        let items = match signal {
            Signal::Traces => "span",
            Signal::Metrics => "metric",
            _ => "log",
        };
        format!("otlp_{protocol}_{items}_exporter")
    }
}

/// Host and port. An endpoint that is no URL was refused when the client was built.
fn place(endpoint: &str, protocol: Protocol) -> (String, Option<u16>) {
    if let Some((scheme, path)) = endpoint.split_once(':')
        && scheme.eq_ignore_ascii_case("unix")
    {
        // `unix:///path` is another way to write `unix:/path`.
        return (path.strip_prefix("//").unwrap_or(path).to_owned(), None);
    }
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let default = match (protocol, scheme) {
        (Protocol::Grpc, _) => 4317,
        (_, scheme) if scheme.eq_ignore_ascii_case("https") => 443,
        _ => 80,
    };
    // A colon within brackets is one of an address.
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            (name.trim_matches(['[', ']']).to_owned(), port.parse().ok().or(Some(default)))
        }
        _ => (host.trim_matches(['[', ']']).to_owned(), Some(default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards `server.address` and `server.port`, and that no password gets into a metric.
    #[test]
    fn places() {
        for (endpoint, protocol, address, port) in [
            ("http://host:1/x", Protocol::HttpProtobuf, "host", Some(1)),
            ("http://host", Protocol::HttpProtobuf, "host", Some(80)),
            ("https://u:s3cret@host/v1", Protocol::HttpJson, "host", Some(443)),
            ("host", Protocol::Grpc, "host", Some(4317)),
            ("http://[::1]:7", Protocol::Grpc, "::1", Some(7)),
            ("http://[::1]", Protocol::Grpc, "::1", Some(4317)),
            ("unix:/run/x", Protocol::Grpc, "/run/x", None),
            ("UNIX:///run/x", Protocol::Grpc, "/run/x", None),
            ("HTTPS://host", Protocol::HttpProtobuf, "host", Some(443)),
        ] {
            assert_eq!(place(endpoint, protocol), (address.to_owned(), port), "{endpoint}");
        }
    }
}
