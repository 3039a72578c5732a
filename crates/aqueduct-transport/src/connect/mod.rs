//! From an endpoint to a connection that carries bytes: name, address, whatever lies on the way to the peer.

mod stream;
mod tcp;

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Failure, FailureKind};

pub(crate) use stream::Stream;

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
    pub(crate) tcp_keepalive: Option<Duration>,
}

impl Dial {
    /// A connection on which the peer's protocol can begin.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Stream, Failure> {
        self.connect_tcp(deadline).await.map(Stream::Tcp)
    }

    /// A failure to connect to this peer.
    pub(crate) fn failure(&self, reason: &str) -> Failure {
        let peer = format!("{}:{}", self.host, self.port);
        // A host that is an address already stands at the beginning of what went wrong there.
        let message = if reason.starts_with(&peer) { reason.to_owned() } else { format!("{peer}: {reason}") };
        Failure::new(FailureKind::Connect, message)
    }
}
