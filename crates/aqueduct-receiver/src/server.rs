//! The server: doors, limits, and the way from a socket to the protocol that it speaks.

use crate::accept::Accept;
use crate::budget::ReceiveBudget;
use crate::config::ReceiverConfig;
use crate::head::Speaks;
use crate::io::{FIRST, Socket};
use crate::offload::Offload;
use crate::refusal::Refusal;
use crate::shutdown::Shutdown;
use crate::stats::{ReceiverStats, RefuseReason};
use crate::{http1, http2};
use aqueduct_exec::Spawner;
use aqueduct_wire::Signal;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Which door a connection came in by. Complete: OTLP has two default ports.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// gRPC over HTTP/2 only; by default port 4317.
    Grpc,
    /// OTLP/HTTP over HTTP/1.1 and HTTP/2, and gRPC too; by default port 4318.
    Http,
}

/// An OTLP server without a listener of its own: give it listeners ([`Server::serve`]) or connections
/// ([`Server::serve_connection`]).
///
/// Cloning gives another handle on the same server; limits, budget and statistics are shared.
#[doc(alias = "OTLPReceiver")]
#[doc(alias = "GrpcServer")]
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: ReceiverConfig,
    pub(crate) budget: ReceiveBudget,
    pub(crate) handler: Arc<dyn Accept>,
    pub(crate) stats: ReceiverStats,
    pub(crate) offload: Offload,
    /// What health checks are told. Guards nothing, so relaxed.
    serving: AtomicBool,
}

impl Shared {
    /// Whether this service is served now; an empty name is the server as a whole.
    pub(crate) fn health(&self, service: &str) -> Result<bool, Refusal> {
        let known = service.is_empty()
            || Signal::ALL.iter().any(|signal| {
                signal.grpc_path().strip_prefix('/').and_then(|path| path.strip_suffix("/Export"))
                    == Some(service)
            });
        if !known {
            return Err(Refusal::new(RefuseReason::UnknownService, "unknown service"));
        }
        Ok(self.serving.load(Ordering::Relaxed))
    }
}

/// Without the handler, which need not be `Debug`.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("budget", &self.budget)
            .field("stats", &self.stats)
            .field("offload", &self.offload)
            .field("serving", &self.serving)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server that gives what it receives to `handler`, all of it together holding no more than `budget`.
    ///
    /// Bodies that take long ([`ReceiverConfig::offload_bytes`]) are judged on the blocking pool of the runtime that serves the connection.
    #[must_use]
    pub fn new(config: ReceiverConfig, budget: ReceiveBudget, handler: Arc<dyn Accept>) -> Server {
        Server::make(config, budget, handler, Offload::Runtime)
    }

    /// As [`Server::new`], but bodies that take long are judged on these worker threads, so that no burst of them takes more cores than that.
    ///
    /// If the pool's queue is full, or the pool has stopped, the thread of the connection does it.
    #[must_use]
    pub fn with_workers(
        config: ReceiverConfig,
        budget: ReceiveBudget,
        handler: Arc<dyn Accept>,
        workers: Spawner,
    ) -> Server {
        Server::make(config, budget, handler, Offload::Workers(workers))
    }

    fn make(
        config: ReceiverConfig,
        budget: ReceiveBudget,
        handler: Arc<dyn Accept>,
        offload: Offload,
    ) -> Server {
        let shared = Shared {
            config: config.clamped(),
            budget,
            handler,
            stats: ReceiverStats::default(),
            offload,
            serving: AtomicBool::new(true),
        };
        Server { shared: Arc::new(shared) }
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        self.shared.stats.clone()
    }

    /// The budget it was given.
    #[must_use]
    pub fn budget(&self) -> &ReceiveBudget {
        &self.shared.budget
    }

    /// What `grpc.health.v1.Health/Check` answers from now on: `SERVING`, as at the beginning, or `NOT_SERVING`. Requests are
    /// taken all the same.
    pub fn set_serving(&self, serving: bool) {
        self.shared.serving.store(serving, Ordering::Relaxed);
    }

    /// Accepts connections and serves each on a task of the runtime this is polled on.
    ///
    /// On `shutdown` it stops accepting, tells every client to go (`GOAWAY`, `Connection: close`), finishes the requests in
    /// progress, and returns when all connections have ended. How long that may take is the caller's decision: dropping the
    /// future cuts off what is left. A client that has no request open and does not go is cut off after `header_timeout`.
    ///
    /// When the process is out of file descriptors, accepting is tried again every 50 ms.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all its connections at once.
    pub async fn serve(&self, listener: TcpListener, entry: Entry, shutdown: Shutdown) {
        let mut connections = JoinSet::new();
        let mut stop = shutdown.clone();
        let mut stop = pin!(stop.requested());
        loop {
            let accepted = poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                // Tasks that ended are forgotten, those that panicked too: a panic is that connection's own end.
                while let Poll::Ready(Some(_)) = connections.poll_join_next(cx) {}
                listener.poll_accept(cx).map(Some)
            });
            match accepted.await {
                None => break,
                Some(Ok((stream, peer))) => {
                    connections.spawn(self.serve_connection_until(stream, peer, entry, shutdown.clone()));
                }
                // Of one connection (it was reset while it waited): the next may be fine.
                Some(Err(error)) if is_of_connection(&error) => {}
                Some(Err(_)) => sleep(Duration::from_millis(50)).await,
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves one connection, for its whole life. The caller spawns it where it likes.
    ///
    /// It needs a tokio runtime with I/O and time; a current-thread one will do. Nagle's algorithm is switched off on `stream`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. Requests that the handler has been given stay given.
    pub fn serve_connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        entry: Entry,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.serve_connection_until(stream, peer, entry, Shutdown::never())
    }

    /// As [`Server::serve_connection`]; on `shutdown` it tells the client to go, finishes what is in progress, and ends.
    pub fn serve_connection_until(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        entry: Entry,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + Send + 'static {
        let shared = self.shared.clone();
        async move {
            let Some(_open) = shared.stats.connect(shared.config.max_connections) else { return };
            // An answer is a few bytes; it must not wait for the acknowledgement of the one before (Nagle's algorithm against
            // delayed acknowledgements makes 40 ms of it). If this fails, the socket is dead and reading will say so.
            let _ = stream.set_nodelay(true);
            serve(shared, stream, peer, entry, shutdown).await;
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    mut stream: TcpStream,
    peer: SocketAddr,
    entry: Entry,
    mut shutdown: Shutdown,
) {
    let first = {
        let first = pin!(timeout(shared.config.header_timeout, first_bytes(&mut stream)));
        let stop = pin!(shutdown.requested());
        or(first, stop).await
    };
    let (bytes, len) = match first {
        Some(Ok(Ok(first))) => first,
        Some(Err(_)) => return shared.stats.refuse(RefuseReason::Timeout),
        // Closed or broken before it said anything, or told to stop by then.
        Some(Ok(Err(_))) | None => return,
    };
    let mut socket = Socket::new(stream, bytes, len, shared.handler.clone());
    let is_http2 = bytes == PREFACE;
    match entry {
        Entry::Grpc if is_http2 => http2::serve(shared, socket, peer, Speaks::Grpc, shutdown).await,
        Entry::Http if is_http2 => http2::serve(shared, socket, peer, Speaks::Both, shutdown).await,
        Entry::Http => http1::serve(shared, socket, peer, shutdown).await,
        Entry::Grpc => {
            shared.stats.refuse(RefuseReason::Protocol);
            // The client may be sending a whole request.
            socket.link().linger();
            let farewell = async {
                socket.write_all(NOT_GRPC).await?;
                socket.shutdown().await
            };
            let _ = timeout(shared.config.header_timeout, farewell).await;
        }
    }
}

/// The beginning of every HTTP/2 connection (RFC 9113, 3.4).
const PREFACE: [u8; FIRST] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client hears that does not speak HTTP/2 on the gRPC door.
const NOT_GRPC: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain\r\n\
    content-length: 77\r\n\
    connection: close\r\n\r\n\
    this port speaks gRPC (HTTP/2); OTLP/HTTP has its own port, by default 4318\r\n";

/// Reads until it is known whether this is HTTP/2.
async fn first_bytes(stream: &mut TcpStream) -> io::Result<([u8; FIRST], usize)> {
    let mut bytes = [0; FIRST];
    let mut len = 0;
    while len < FIRST && bytes[..len] == PREFACE[..len] {
        match stream.read(&mut bytes[len..]).await? {
            0 if len == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => break,
            count => len += count,
        }
    }
    Ok((bytes, len))
}

/// The result of the first future; `None` if the second one ends before.
async fn or<T>(
    mut first: impl Future<Output = T> + Unpin,
    mut second: impl Future<Output = ()> + Unpin,
) -> Option<T> {
    poll_fn(|cx| {
        if let Poll::Ready(result) = std::pin::Pin::new(&mut first).poll(cx) {
            return Poll::Ready(Some(result));
        }
        std::pin::Pin::new(&mut second).poll(cx).map(|()| None)
    })
    .await
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The announced length of a body. What is no number is left to the HTTP library, which refuses it.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the length in the one answer that is written by hand.
    #[test]
    fn the_farewell_has_its_length() {
        let text = std::str::from_utf8(NOT_GRPC).expect("is ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("has a head");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
