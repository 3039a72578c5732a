//! Opens the connections of a pool, over whichever version of HTTP was configured or agreed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::http1;
use crate::config::HttpVersion;
use crate::connect::{Dial, Standing};
use crate::failure::Failure;
use crate::http2;
use crate::pool::Connect;
use crate::status::Counters;

#[derive(Debug)]
pub(super) struct Connector {
    dial: Dial,
    version: HttpVersion,
    max_header_bytes: usize,
    http2: Arc<http2::Settings>,
    counters: Arc<Counters>,
    /// What the last connection bore before its peer had said anything. Relaxed: a hint for how many to open.
    expected: AtomicUsize,
}

/// A connection over either version.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(http1::Connection),
    Http2(http2::Connection),
}

impl Connector {
    pub(super) fn new(
        dial: Dial,
        version: HttpVersion,
        max_header_bytes: usize,
        http2: Arc<http2::Settings>,
        counters: Arc<Counters>,
    ) -> Self {
        let expected = AtomicUsize::new(match version {
            HttpVersion::Http2 => http2::EXPECTED_STREAMS,
            HttpVersion::Auto | HttpVersion::Http1 => 1,
        });
        Self { dial, version, max_header_bytes, http2, counters, expected }
    }

    pub(super) const fn dial(&self) -> &Dial {
        &self.dial
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let deadline = Instant::now() + self.dial.timeout;
        let stream = self.dial.connect(deadline).await?;
        let agreed = match self.version {
            HttpVersion::Http2 => true,
            HttpVersion::Auto => stream.alpn_h2(),
            HttpVersion::Http1 => false,
        };
        if agreed {
            self.expected.store(http2::EXPECTED_STREAMS, Ordering::Relaxed);
            return self.http2.open(&self.dial, stream, deadline).await.map(Connection::Http2);
        }
        self.expected.store(1, Ordering::Relaxed);
        let up = &self.counters;
        let open = http1::Connection::open(&self.dial, stream, self.max_header_bytes, up, deadline);
        open.await.map(Connection::Http1)
    }
}

impl Connect for Connector {
    type Connection = Connection;
    type Error = Failure;

    async fn connect(&self) -> Result<Connection, Failure> {
        self.open().await.inspect_err(|_| self.counters.connect_failed())
    }

    fn capacity(&self, connection: &Connection) -> usize {
        match connection {
            Connection::Http1(_) => 1,
            Connection::Http2(connection) => connection.streams(),
        }
    }

    fn expected_capacity(&self) -> usize {
        self.expected.load(Ordering::Relaxed)
    }

    fn is_usable(&self, connection: &Connection) -> bool {
        match connection {
            Connection::Http1(connection) => connection.is_usable(),
            Connection::Http2(connection) => connection.is_usable(),
        }
    }
}

impl Connection {
    pub(super) const fn standing(&self) -> &Standing {
        match self {
            Self::Http1(connection) => &connection.standing,
            Self::Http2(connection) => &connection.standing,
        }
    }
}
