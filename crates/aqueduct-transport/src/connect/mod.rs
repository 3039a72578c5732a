//! From an endpoint to a connection that carries bytes: name, address, whatever lies on the way to the peer.

mod outlier;
mod race;
mod resolve;
mod standing;
mod stream;
mod tcp;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::ClientConfig;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, FailureKind};
use crate::pool::PoolError;

use outlier::Ejection;
pub(crate) use resolve::System;
pub use resolve::{Resolve, Resolving};
use standing::Addresses;
pub(crate) use standing::Standing;
pub(crate) use stream::Stream;

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) addresses: Arc<Addresses>,
}

impl Dial {
    pub(crate) fn new(place: &Endpoint, config: &ClientConfig, resolver: &Arc<dyn Resolve>) -> Self {
        let ejection = Ejection {
            after: config.eject_after,
            base: config.ejection_time,
            longest: config.max_ejection_time,
        };
        // The seed of the standard library's hash maps is random enough for a place to begin.
        let turn = RandomState::new().build_hasher().finish() as usize;
        Self {
            host: place.host.clone(),
            port: place.port,
            timeout: config.connect_timeout,
            tcp_keepalive: config.tcp_keepalive,
            resolver: resolver.clone(),
            addresses: Arc::new(Addresses::new(ejection, turn)),
        }
    }

    /// A connection on which the peer's protocol can begin.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Stream, Failure> {
        self.connect_tcp(deadline).await.map(Stream::Tcp)
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
        let peer = format!("{}:{}", self.host, self.port);
        // A host that is an address already stands at the beginning of what went wrong there.
        let message = if reason.starts_with(&peer) { reason.to_owned() } else { format!("{peer}: {reason}") };
        Failure::new(FailureKind::Connect, message)
    }
}
