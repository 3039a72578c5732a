//! From an endpoint to a connection that carries bytes: name, address, whatever lies on the way to the peer.

mod outlier;
mod race;
mod resolve;
mod standing;
mod stream;
mod tcp;
mod tunnel;
#[cfg(unix)]
mod unix;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::ClientConfig;
use crate::endpoint::{Endpoint, Scheme};
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::pool::PoolError;
use crate::proxy::Proxy;
use crate::status::Counters;
#[cfg(feature = "tls")]
use crate::tls::Connector;

use outlier::Ejection;
pub(crate) use resolve::System;
pub use resolve::{Resolve, Resolving};
use standing::Addresses;
pub(crate) use standing::Standing;
pub(crate) use stream::Stream;
use tunnel::Tunnel;

/// The protocols to offer to a TLS server (RFC 7301), the best first.
pub(crate) type Alpn = &'static [&'static [u8]];

/// HTTP/2 and nothing else.
pub(crate) const H2: Alpn = &[b"h2"];

/// HTTP/2 or HTTP/1.1, as the server likes.
#[cfg(feature = "http")]
pub(crate) const EITHER: Alpn = &[b"h2", b"http/1.1"];

/// HTTP/1.1, which is also what a server speaks that chooses nothing.
#[cfg(feature = "http")]
pub(crate) const HTTP1: Alpn = &[b"http/1.1"];

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    /// Where a TCP connection goes to: the peer, or the proxy on the way to it.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) way: Way,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) addresses: Arc<Addresses>,
}

/// What there is besides TCP.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// The socket of a peer on this machine, instead of TCP.
    #[cfg(unix)]
    socket: Option<PathBuf>,
    /// From the proxy to the peer.
    tunnel: Option<Tunnel>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<Connector>>,
}

impl Dial {
    /// The way to this place, as the configuration says. Reads certificates, if it is one with TLS.
    pub(crate) fn new(
        config: &ClientConfig,
        place: &Endpoint,
        alpn: Alpn,
        resolver: &Arc<dyn Resolve>,
        counters: &Arc<Counters>,
    ) -> Result<Self, ConfigError> {
        let mut way = Way::default();
        let (mut host, mut port) = (place.host.clone(), place.port);
        if place.socket.is_none()
            && let Some(proxy) = Proxy::choose(&config.proxy, place)?
        {
            way.tunnel = Some(Tunnel::new(place, proxy.authorization));
            (host, port) = (proxy.host, proxy.port);
        }
        #[cfg(unix)]
        way.socket.clone_from(&place.socket);
        if place.scheme == Scheme::Https {
            #[cfg(feature = "tls")]
            {
                way.tls = Some(Arc::new(Connector::new(&config.tls, &place.host, alpn, counters)?));
            }
            #[cfg(not(feature = "tls"))]
            return Err(ConfigError::FeatureMissing { feature: "tls" });
        }
        let _ = (alpn, counters);
        let ejection = Ejection {
            after: config.eject_after,
            base: config.ejection_time,
            longest: config.max_ejection_time,
        };
        // The seed of the standard library's hash maps is random enough for a place to begin.
        let turn = RandomState::new().build_hasher().finish() as usize;
        Ok(Self {
            host,
            port,
            timeout: config.connect_timeout,
            tcp_keepalive: config.tcp_keepalive,
            way,
            resolver: resolver.clone(),
            addresses: Arc::new(Addresses::new(ejection, turn)),
        })
    }

    /// A connection on which the peer's protocol can begin.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Stream, Failure> {
        #[cfg(unix)]
        if let Some(path) = &self.way.socket {
            return self.connect_unix(path, deadline).await.map(Stream::unix);
        }
        let mut tcp = self.connect_tcp(deadline).await?;
        if let Some(tunnel) = &self.way.tunnel {
            match tokio::time::timeout_at(deadline, tunnel.open(&mut tcp)).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => return Err(self.failure(&reason)),
                Err(_) => return Err(self.failure("the proxy did not answer in time")),
            }
        }
        #[cfg(feature = "tls")]
        if let Some(connector) = &self.way.tls {
            let failure = |reason: &str| Failure { kind: FailureKind::Tls, ..self.failure(reason) };
            let address = tcp.peer_addr();
            let agreed = match tokio::time::timeout_at(deadline, connector.connect(tcp)).await {
                Ok(Ok(tls)) => self.agreed(Stream::tls(tls)),
                Ok(Err(reason)) => Err(failure(&reason)),
                Err(_) => Err(failure("the TLS handshake timed out; does the peer speak TLS?")),
            };
            if let (Err(_), Ok(address)) = (&agreed, address) {
                self.addresses.failed(address);
            }
            return agreed;
        }
        Ok(Stream::tcp(tcp))
    }

    /// Whether the server chose what we cannot do without.
    #[cfg(feature = "tls")]
    fn agreed(&self, stream: Stream) -> Result<Stream, Failure> {
        let http2_only = self.way.tls.as_ref().is_some_and(|connector| connector.alpn() == [b"h2"]);
        if http2_only && !stream.alpn_h2() {
            let reason = "the server did not agree to HTTP/2 over TLS (ALPN); is this the port for gRPC?";
            return Err(Failure { kind: FailureKind::Tls, ..self.failure(reason) });
        }
        Ok(stream)
    }

    /// The standing of the address that a new connection goes to.
    pub(crate) fn standing(&self, stream: &Stream) -> Standing {
        Standing::new(self.addresses.clone(), stream.peer_address())
    }

    /// What it means for a send that the pool has no connection to this peer.
    pub(crate) fn none_from_pool(&self, error: &PoolError<Failure>) -> Failure {
        match error {
            PoolError::Connect(failure) => Failure::clone(failure),
            other => self.failure(&other.to_string()),
        }
    }

    /// A failure to connect to this peer.
    pub(crate) fn failure(&self, reason: &str) -> Failure {
        let peer = self.peer();
        // A host that is an address already stands at the beginning of what went wrong there.
        let message = if reason.starts_with(&peer) { reason.to_owned() } else { format!("{peer}: {reason}") };
        Failure::new(FailureKind::Connect, message)
    }

    fn peer(&self) -> String {
        #[cfg(unix)]
        if let Some(path) = &self.way.socket {
            return format!("unix:{}", path.display());
        }
        match &self.way.tunnel {
            Some(tunnel) => format!("{} through the proxy {}:{}", tunnel.target(), self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The failure that is behind an error of an established connection, if the peer did not even begin to look at the
/// request: it speaks TLS where we do not, or it refused our certificate late. [`Stream`] marks those errors with a kind that
/// reading and writing have no other use for.
pub(crate) fn refusal(error: &io::Error) -> Option<Failure> {
    (error.kind() == io::ErrorKind::ConnectionRefused)
        .then(|| Failure::new(FailureKind::Tls, error.to_string()))
}
