//! The seam to whoever uses this crate: a validated request in, an answer out.

use aqueduct_wire::{Chunk, rpc::Status};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

/// Takes requests. The one thing a user of this crate writes.
///
/// A closure of type `Fn(Incoming) -> Reply` is a handler too.
pub trait Accept: Send + Sync + 'static {
    /// Takes one request that was received whole, inflated and validated, and says what to answer.
    ///
    /// It is called on the task of the connection, so it must not block: what takes time returns
    /// [`Reply::Later`]. A request without any bytes never arrives here; it is answered with success.
    ///
    /// A small chunk shares the connection's read buffer: keeping it for long keeps up to a whole frame
    /// alive. Copy small chunks (`aqueduct_wire::Merger` does).
    ///
    /// # Panics
    ///
    /// A panic is caught, counted as [`RefuseReason::Panicked`](crate::RefuseReason::Panicked) and answered with
    /// `INTERNAL` or 500; neither the connection nor other requests notice.
    fn accept(&self, incoming: Incoming) -> Reply;

    /// Back-pressure: whether to wait before more is read, and for what. Asked before each read from a socket, so it must
    /// cost next to nothing.
    ///
    /// While the future is pending, nothing is read from that connection (requests of all signals and health checks), its
    /// answers still leave, and the client is slowed down by TCP. The future has to end within seconds, whatever happens: clients
    /// take a connection that says nothing for dead.
    ///
    /// Default: never.
    fn pressure(&self) -> Option<Relief> {
        None
    }
}

/// What ends when there is room again.
pub type Relief = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Fn(Incoming) -> Reply + Send + Sync + 'static> Accept for F {
    fn accept(&self, incoming: Incoming) -> Reply {
        self(incoming)
    }
}

/// One request.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What was sent, as protobuf, inflated, every field checked.
    pub chunk: Chunk,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// How it was sent.
    pub protocol: Protocol,
    /// Length of the body as it was on the wire, in bytes: compressed, or as JSON, if it was sent so.
    pub wire_bytes: usize,
}

/// In which of the three protocols of OTLP a request came. Complete: the specification has no other.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with a protobuf body, `http/protobuf`.
    HttpProtobuf,
    /// OTLP/HTTP with a JSON body, `http/json`.
    HttpJson,
}

impl Protocol {
    /// The name of the protocol in the OpenTelemetry configuration: `grpc`, `http/protobuf`, `http/json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When the answer is known. Complete: it is known or it is not.
pub enum Reply {
    /// Now. Costs no allocation and no wake-up.
    Now(Answer),
    /// When this future ends. It is polled on the connection's task, and dropped unfinished if the client or the
    /// connection goes away first.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Reply::Later(_) => f.write_str("Later(..)"),
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        Reply::Now(answer)
    }
}

/// What the client is told.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// All of it was taken.
    Accepted,
    /// It was taken but for `rejected` items, which must not be sent again. With `rejected` of 0 the message is a
    /// warning (OTLP specification, "Partial Success").
    Partial {
        /// Items (spans, data points, log records) that were not taken.
        rejected: u64,
        /// Why, for people.
        message: String,
    },
    /// Nothing was taken for want of room: send it again later. gRPC: `UNAVAILABLE` with a `RetryInfo`; HTTP: 503 with
    /// `Retry-After`, in whole seconds, rounded up, at least 1.
    Overloaded {
        /// How long the client shall wait at least.
        retry_after: Duration,
    },
    /// Nothing was taken, for this reason. gRPC: this status. HTTP: a status code that an OTLP client treats alike
    /// ([`http_status`](crate::http_status)), with this status as the body.
    Status(Status),
    /// Exactly this HTTP answer, in gRPC too, where it is what a proxy in between would say. Made for
    /// scripted peers in tests.
    Http {
        /// 200 to 999; anything else becomes 500.
        status: u16,
        /// The `Retry-After` header, in whole seconds, rounded up.
        retry_after: Option<Duration>,
        /// Message of the `google.rpc.Status` in the body.
        message: String,
    },
    /// No answer: HTTP/2 resets the stream, HTTP/1.1 closes the connection.
    Disconnect,
}
