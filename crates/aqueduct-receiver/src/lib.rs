//! An OTLP server as a library: gRPC and HTTP, admission by bytes, and the specification's answers.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport  [aqueduct-receiver]  aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Whoever takes OpenTelemetry data from others has to speak OTLP/gRPC and OTLP/HTTP, in protobuf and JSON, compressed and not, and to
//! answer each request so that clients retry what may be retried and nothing else. And it has to survive what arrives: bodies
//! that inflate to gigabytes, clients that send a byte a minute, floods, garbage. A general web framework leaves most of this to
//! its user, and decodes every message into objects besides. This crate does this one thing: it hands over bytes that are whole,
//! inflated and validated, with their number of items, and never builds an object tree.
//!
//! # Example
//!
//! ```
//! use aqueduct_receiver::{Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Server, ShutdownTrigger};
//! use std::sync::Arc;
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let handler = |incoming: Incoming| {
//!     // The bytes are a valid request: keep them, merge them, send them on.
//!     let (signal, items, bytes) = (incoming.chunk.signal(), incoming.chunk.items(), incoming.chunk.into_bytes());
//!     let _ = (signal, items, bytes);
//!     Answer::Accepted.into()
//! };
//! let server = Server::new(ReceiverConfig::default(), ReceiveBudget::new(128 << 20), Arc::new(handler));
//! let listener = TcpListener::bind("127.0.0.1:0").await?; // 4317 is the port that clients expect
//! let (trigger, shutdown) = ShutdownTrigger::new();
//! let serving = tokio::spawn(async move { server.serve(listener, Entry::Grpc, shutdown).await });
//!
//! trigger.shut_down(); // when the time has come
//! serving.await?;
//! # Ok(())
//! # }
//! ```
//!
//! `cargo run --release -p aqueduct-receiver --example count` is a server on the usual ports that counts.
//!
//! # Concepts
//!
//! - A [`Server`] has no listener of its own. [`Server::serve`] accepts from one; [`Server::serve_connection`] takes a connection
//!   from whoever accepts, on whichever thread or runtime.
//! - An [`Entry`] is the door a connection came in by. The gRPC door speaks gRPC only; the HTTP door speaks everything, told apart by
//!   the first bytes of the connection and the content type of the request.
//! - [`Accept`] is the handler. It is called on the connection's task and answers now, at no cost, or later, with a future ([`Reply`]).
//! - An [`Answer`] says what the handler means; the crate says it in the client's protocol.
//! - The [`ReceiveBudget`] bounds the bytes of all requests that are being received, on all servers that share it.
//! - [`ReceiverStats`] counts everything: what was accepted by signal, what was refused by [`RefuseReason`].
//!
//! # What is answered
//!
//! | case | gRPC | HTTP | [`RefuseReason`] |
//! |---|---|---|---|
//! | accepted, wholly or partially; an empty request | `OK` | 200 | |
//! | no room in the budget; the handler is overloaded | `UNAVAILABLE` + `RetryInfo` | 503 + `Retry-After` | `Budget`, `Overloaded` |
//! | too large, on the wire or inflated | `RESOURCE_EXHAUSTED`, no `RetryInfo` | 413 | `TooLarge` |
//! | not valid OTLP | `INVALID_ARGUMENT` | 400 | `Invalid` |
//! | does not inflate | `INVALID_ARGUMENT` | 400 | `Inflate` |
//! | unknown encoding, or two in layers | `UNIMPLEMENTED` + `grpc-accept-encoding` | 415 + `Accept-Encoding` | `ContentEncoding` |
//! | wrong frame, length or number of messages | `INTERNAL` | | `Framing` |
//! | unknown method or path | `UNIMPLEMENTED` | 404 | `NotFound` |
//! | wrong HTTP method | HTTP 405 | 405 + `Allow` | `Method` |
//! | wrong content type | HTTP 415 | 415 | `ContentType` |
//! | a header twice | `INVALID_ARGUMENT` | 400 | `DuplicateHeader` |
//! | headers too large | HTTP 431, by h2 | 431 | `HeaderTooLarge` (HTTP/1.1) |
//! | the body stops | `DEADLINE_EXCEEDED` | 408 | `Timeout` |
//! | the handler panics | `INTERNAL` | 500 | `Panicked` |
//!
//! Bodies of HTTP errors are a `google.rpc.Status` in the encoding of the request. A gRPC request whose size is wrong is refused as soon as
//! its length is read. Where an answer precedes the end of the request, the connection lingers for up to two seconds, so that the
//! client can read it.
//!
//! # Guarantees
//!
//! - **Ordering.** Requests of one HTTP/1.1 connection are handled one after the other. Those of an HTTP/2 connection are handed to the handler in the
//!   order in which they became complete; larger ones that were validated aside (`offload_bytes`) when that is done.
//! - **Allocation.** A request that came in one frame, uncompressed, is passed on without a copy. Per request nothing is spawned and, with [`Reply::Now`],
//!   nothing boxed; what is allocated is h2's. Contexts for inflating are kept per thread; a large zstd window is not.
//! - **Overload.** Memory is bounded by the budget, plus per connection about 35 KiB, plus per thread that is reading at the moment one
//!   `connection_window_bytes` (data is taken into the budget in the turn in which it is read) and one zstd window of at most 8 MiB. While JSON is
//!   converted, its protobuf form may go beyond the reservation if it consists of packed numbers and the text is larger than a quarter of `max_request_bytes`.
//!   Before anybody is refused, a handler may slow its clients down ([`Accept::pressure`]): nothing is read from their sockets until
//!   there is room. A connection lets others have their turn after 256 KiB, so that taking in does not starve sending on.
//! - **Isolation.** A bad request costs its own answer: neither its connection, unless HTTP itself is violated, nor other requests.
//!   What reaches the handler is valid, so that it can be merged with the data of others.
//! - **No panics** on any input. A panic of the handler is caught.
//!
//! # Limitations
//!
//! - No TLS, and no authentication. Put it behind something that has both, or use it on a trusted network.
//! - `grpc-timeout` is not looked at; `grpc.health.v1.Health/Watch` is answered `UNIMPLEMENTED`, upon which clients take the server for healthy.
//! - Answers are not compressed: they are a few bytes.
//! - Nothing keeps one client from using up the budget with large, slow bodies for as long as `body_timeout` lets it.
//! - What h2 refuses by itself (431, stream errors) is answered but not counted. hyper reads up to 256 KiB of HTTP/1.1 headers before it answers 431.
//! - For HTTP/2 `header_timeout` ends with the connection's preface; a later header block that stops ends with `idle_timeout`.
//! - A client built on h2 with its default windows takes more than 130 answers at once for an attack and disconnects. tonic and hyper have
//!   larger windows; whoever uses h2 directly sets `initial_connection_window_size` or `data_frame_budget`.
//!
//! # When not to use this crate
//!
//! If you want decoded spans rather than bytes, or services of your own on the same port, tonic or axum with `opentelemetry-proto` is less work.
//!
//! # Features
//!
//! | feature | default | unlocks |
//! |---|---|---|
//! | `json` | yes | OTLP/JSON requests and answers |
//! | `zstd` | yes | requests compressed with zstd (needs a C compiler) |

mod accept;
mod budget;
mod config;
mod grpc;
mod head;
mod held;
mod http;
mod http1;
mod http2;
mod inflate;
mod io;
mod judge;
mod metrics;
mod offload;
mod refusal;
mod said;
mod server;
mod shutdown;
mod stats;
mod tasks;

pub use accept::{Accept, Answer, Incoming, Protocol, Relief, Reply};
pub use budget::{ReceiveBudget, Reservation};
pub use config::ReceiverConfig;
pub use metrics::METRICS;
pub use refusal::http_status;
pub use server::{Entry, Server};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use stats::{ReceiverStats, RefuseReason, SignalSnapshot, StatsSnapshot};
