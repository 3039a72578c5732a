//! Where requests go.

use super::LoadError;
use super::body::Encoder;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may take to establish.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A parsed endpoint.
#[derive(Debug)]
pub(crate) struct Target {
    /// Host and port, as the `:authority` or `host` of requests.
    pub(crate) authority: String,
    /// What the endpoint's URL has before the signal's path; empty for most.
    pub(crate) base_path: String,
    pub(crate) encoder: Encoder,
}

impl Target {
    /// Parses `http://host:port[/base]` or `host:port`.
    pub(crate) fn new(endpoint: &str, default_port: u16, encoder: Encoder) -> Result<Self, LoadError> {
        let invalid = |why: &str| LoadError::Endpoint { endpoint: endpoint.to_owned(), why: why.to_owned() };
        let rest = match endpoint.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(invalid("TLS is not supported, use http://")),
            Some(_) => return Err(invalid("expected http://host:port")),
            None => endpoint,
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let authority: http::uri::Authority =
            authority.parse().map_err(|_| invalid("expected http://host:port"))?;
        let port = authority.port_u16().unwrap_or(default_port);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            base_path: path.trim_end_matches('/').to_owned(),
            encoder,
        })
    }

    /// A new connection. Nagle's algorithm is off: with it, a request that does not fill a segment waits for the
    /// acknowledgement of the one before.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.authority))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "connecting took longer than 5 s"))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the forms of endpoints that users write.
    #[test]
    fn endpoints() {
        let target = |endpoint: &str| Target::new(endpoint, 4317, Encoder::None);
        for (endpoint, authority, path) in [
            ("http://localhost:4000", "localhost:4000", ""),
            ("127.0.0.1:9", "127.0.0.1:9", ""),
            ("localhost", "localhost:4317", ""),
            ("http://[::1]:4318/otlp/", "[::1]:4318", "/otlp"),
        ] {
            let target = target(endpoint).expect(endpoint);
            assert_eq!((target.authority.as_str(), target.base_path.as_str()), (authority, path));
        }
        for endpoint in ["https://localhost:4317", "grpc://localhost", "http://", "a b"] {
            assert!(target(endpoint).is_err(), "{endpoint}");
        }
    }
}
