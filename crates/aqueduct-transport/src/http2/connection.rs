//! One HTTP/2 connection.
//!
//! A task of the runtime that opened it drives it until it ends: by the peer's will, by a ping that is not answered,
//! or when the [`Connection`] and the last stream on it are dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, SendRequest};
#[cfg(feature = "grpc")]
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

#[cfg(feature = "grpc")]
use super::keepalive::{Asker, Asks};
use super::keepalive::{Complaints, Keepalive};
use super::writer::{Lent, Writer};
use crate::config::ClientConfig;
use crate::connect::{Dial, Standing, Stream};
use crate::failure::Failure;
use crate::status::{Connected, Counters};

/// Streams that a peer allows at once before it has said how many (RFC 9113 section 6.5.2 advises no fewer).
pub(crate) const EXPECTED_STREAMS: usize = 100;

/// What all HTTP/2 connections to a peer have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    http2: Builder,
    keepalive_interval: Option<Duration>,
    keepalive_timeout: Duration,
    complaints: Complaints,
    counters: Arc<Counters>,
}

/// A connection that was opened.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) send: SendRequest<Bytes>,
    /// Where calls lend their bodies to the connection.
    pub(super) lent: Lent,
    /// Answers that arrived on this connection; each spares a ping.
    pub(super) answers: Arc<AtomicU64>,
    pub(crate) standing: Standing,
    /// What it points to is gone when the task is.
    task: Weak<()>,
    /// To the connection's keepalive, which alone may send pings. Each that is waiting has somebody who waits for it.
    #[cfg(feature = "grpc")]
    asks: mpsc::UnboundedSender<Asker>,
}

impl Settings {
    pub(crate) fn new(config: &ClientConfig, counters: &Arc<Counters>) -> Arc<Self> {
        let mut http2 = Builder::new();
        http2
            .initial_window_size(config.stream_window_bytes)
            .initial_connection_window_size(config.connection_window_bytes)
            .max_header_list_size(config.max_header_list_bytes)
            .initial_max_send_streams(EXPECTED_STREAMS)
            .enable_push(false);
        Arc::new(Self {
            http2,
            keepalive_interval: config.keepalive_interval,
            keepalive_timeout: config.keepalive_timeout,
            complaints: Complaints::default(),
            counters: counters.clone(),
        })
    }

    /// Begins HTTP/2 on this stream.
    pub(crate) async fn open(
        self: &Arc<Self>,
        dial: &Dial,
        stream: Stream,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let standing = dial.standing(&stream);
        let lent = Lent::default();
        let (send, mut connection) =
            match timeout_at(deadline, self.http2.handshake(Writer::new(stream, lent.clone()))).await {
                Ok(Ok(open)) => open,
                Ok(Err(error)) => return Err(dial.failure(&format!("HTTP/2 handshake: {error}"))),
                Err(_) => return Err(dial.failure("the HTTP/2 handshake timed out")),
            };
        let answers = Arc::new(AtomicU64::new(0));
        let alive = Arc::new(());
        let task = Arc::downgrade(&alive);
        let up = self.counters.connected();
        let pings = connection.ping_pong();
        #[cfg(feature = "grpc")]
        let (asks, arriving) = mpsc::unbounded_channel();
        let keepalive = self.keepalive_interval.zip(pings).map(|(every, pings)| {
            Keepalive::new(
                pings,
                self.complaints.stretch(every),
                self.keepalive_timeout,
                answers.clone(),
                #[cfg(feature = "grpc")]
                Asks::new(arriving, &self.complaints),
            )
        });
        tokio::spawn(drive(self.clone(), connection, keepalive, (up, alive)));
        Ok(Connection {
            send,
            lent,
            answers,
            standing,
            task,
            #[cfg(feature = "grpc")]
            asks,
        })
    }

    /// Whether pings are sent at all.
    #[cfg(feature = "grpc")]
    pub(crate) const fn pings(&self) -> bool {
        self.keepalive_interval.is_some()
    }
}

impl Connection {
    /// Whether a request may go this way, as far as is known.
    pub(crate) fn is_usable(&self) -> bool {
        self.task.strong_count() > 0 && self.standing.is_good()
    }

    /// How many requests may be under way at once.
    pub(crate) fn streams(&self) -> usize {
        self.send.current_max_send_streams()
    }

    /// Whether the peer answers a ping. Waits as long as the keepalive's time-out; false if the connection has ended, or
    /// sends no pings.
    #[cfg(feature = "grpc")]
    pub(crate) async fn ping(&self) -> bool {
        let (asker, answer) = oneshot::channel();
        self.asks.send(asker).is_ok() && answer.await.is_ok()
    }
}

/// The life of one connection. Drops what it owns at the end of it.
async fn drive<T>(
    settings: Arc<Settings>,
    connection: h2::client::Connection<Writer<Stream>, Bytes>,
    mut keepalive: Option<Keepalive>,
    _owns: (Connected, T),
) {
    let mut connection = pin!(connection);
    poll_fn(|cx| {
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if end.is_err_and(|error| error.is_remote() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM))
            {
                settings.complaints.heard();
            }
            return Poll::Ready(());
        }
        match &mut keepalive {
            // Dropping the connection fails the calls that are on it.
            Some(keepalive) => keepalive.poll_dead(cx),
            None => Poll::Pending,
        }
    })
    .await;
}
