//! An OTLP client: delivers telemetry over gRPC or HTTP, and says exactly what became of each attempt.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch  [aqueduct-transport]  aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Exporters tend to know two results, success and error, and lose data in between: they retry what can never succeed,
//! drop what a busy server asked to have later, resend what was accepted in part, or all come back at the same
//! moment. The OpenTelemetry specification says what each status means; this crate has its tables as pure functions, a
//! client that applies them to everything a socket can do, and the arithmetic for when to try again. It sends a batch as the
//! list of pieces it was merged from, without joining them, and a retry sends the same bytes.
//!
//! # Example
//!
//! ```
//! use aqueduct_transport::{Client, ClientConfig, FailureKind, Outcome, Protocol, RetryPolicy};
//! use aqueduct_wire::{Chunk, Limits, Merged, Signal};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // Nobody listens there.
//! let client = Client::new(ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc))?;
//!
//! // A request with one log record whose severity text is "INFO".
//! let bytes = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO"[..].into();
//! let chunk = Chunk::validate(Signal::Logs, bytes, &Limits::default())?;
//! let request = client.prepare(&Merged::from_chunk(chunk));
//!
//! match client.send(&request).await {
//!     Outcome::Retry { after, failure } => {
//!         assert_eq!(failure.kind, FailureKind::Connect);
//!         let wait = RetryPolicy::default().delay(0, after, 0.5);
//!         assert_eq!(wait.as_millis(), 50);
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Concepts
//!
//! - A [`Client`] talks to one peer, over [`Protocol`], [`HttpVersion`] and with [`Compression`] as its [`ClientConfig`] says.
//!   [`Client::prepare`] makes a [`Request`] of a batch, once; [`Client::send`] makes one attempt, as often as it takes.
//! - An endpoint is `http://`, `https://` ([`TlsConfig`], feature `tls`) or `unix:/path`, and may lie behind an HTTP proxy
//!   ([`ProxyConfig`]). What goes with every request is configured ([`ClientConfig::headers`]) or fetched
//!   ([`HeaderProvider`]). `ClientConfig::from_env` reads the variables of the specification and says in `EnvNote`s what
//!   became of each; a configuration that was made otherwise does not look at them.
//! - An [`Outcome`] is what to do about the data: delivered, partly delivered (never retry), retry, permanent, too
//!   large. A [`Failure`] says why, and whether the peer may have taken the data all the same. The module [`outcome`] holds
//!   the tables of gRPC and HTTP statuses.
//! - *Delivery policies* decide when to send. Each is a state machine that takes the time as an argument and can be used
//!   alone, around anything:
//!   - a [`RetryPolicy`] computes delays with jitter; a [`Backoff`] counts the failures in a row and remembers what the
//!     server demanded (`RetryInfo`, `Retry-After`);
//!   - a [`PauseClock`] belongs to a destination: when an attempt fails all attempts pause, and when the pause ends one probes
//!     while the others wait;
//!   - a [`RetryBudget`] keeps retries to a share of first attempts, by delaying them;
//!   - a [`Throttle`] keeps attempts to a share of what is taken, by spreading them, while a destination refuses some;
//!   - a [`ConcurrencyLimit`] finds out how many requests may be in flight, from round-trip times and refusals;
//!   - a [`breaker::Circuit`] stops calls after too many failures, and lets one probe after a while.
//! - *Drivers* are those with a clock, for tasks: [`RetryPolicy::run`], [`CircuitBreaker`], [`SharedBudget`],
//!   [`ConcurrencyGate`]; [`Resilient`] is retry, breaker and budget around any operation.
//! - A [`Compressor`] is a codec with contexts that are used again, alone or in a client; [`Request::to_batch`] is the way back, and a
//!   [`CompressionAnalyzer`] tells which codec suits one's own data.
//! - A [`ConnectionPool`] opens, shares, checks and closes the connections of a client, and those of anything else
//!   that you give it a [`Connect`] for. [`ClientConfig`] has its options.
//! - The addresses of a name are looked up for every connection, by the system or by your [`Resolve`]. Each connection
//!   prefers another one; one that does not answer costs 250 ms, and one that keeps failing is left alone for a while.
//! - A [`HealthChecker`] finds out how the peer of a client is: by `grpc.health.v1` where a server has it, by its connections or
//!   an export of nothing where not. [`Health::source`] says how it knows.
//! - [`ClientStatus`] and [`CompressionStats`] are snapshots for health pages; [`METRICS`] describes them.
//!
//! # Guarantees
//!
//! - *Time.* A send or a health check ends within [`ClientConfig::timeout`], name lookup, proxy, TLS and the fetching of headers included,
//!   whatever the peer does.
//! - *Trust.* Over `https://` the peer is verified, always; requests go to the endpoint and nowhere else. Credentials stay
//!   out of messages and debug output.
//! - *Memory.* Answers, their heads and trailers are bounded, those of proxies too. Bodies are referred to, not copied: beside them a send holds
//!   what the connection buffers. Compression holds at most four idle contexts.
//! - *Bytes.* What is sent is what was prepared, in that order; a retry is byte-identical.
//! - *Classification.* Retryable are exactly the codes of the specification, connections that failed or broke, and
//!   time-outs. A success whose answer makes no sense is a delivery with a warning ([`ClientStatus::last_warning`]), because
//!   the status is what counts and a retry would duplicate the data; only an HTML page is taken for the wrong endpoint.
//! - *Duplicates.* An attempt is repeated by the client itself only if the server cannot have seen the whole request: a kept
//!   HTTP/1.1 connection that turned out to be closed, an HTTP/2 connection on which no stream could be opened; and once if
//!   the server has refused it for its credentials (401, UNAUTHENTICATED) and a [`HeaderProvider`] has others.
//! - *Cancellation.* Dropping a send resets its stream or closes its connection, and harms no other send.
//! - *Overload.* Nothing is queued here. Sends beyond what [`ClientConfig::max_connections`] can carry wait for their turn,
//!   in order, within their time.
//! - *Connections.* A connection that retires (by age, by `resize`, by the server's goodbye) ends the sends that are on it in
//!   peace and takes no new ones.
//! - *Retry storms.* Over any time, retries under a [`RetryBudget`] are at most a tenth of first attempts, ten saved ones, and
//!   one for each ten seconds (the defaults). In a simulation of fifty clients with budget, limit and pauses, at a backend that
//!   comes back at half its strength, attempts are at most 1.2 times deliveries. Where it refuses at once what is beyond a quota, it takes a [`Throttle`] to keep
//!   them there: without one they are twice as many.
//! - *Adaptive limit.* In simulations of seven kinds of backend it delivers at least nine tenths of what the best fixed
//!   limit does (`cargo run --release --example limit` prints the table). It never falls below its lower bound.
//! - *Data while a breaker is open.* It stays with the caller: [`CircuitBreaker::call`] gives the operation back,
//!   [`Resilient`] waits with it, up to its deadline.
//! - No unsafe code. No panic on any input from the network.
//!
//! # Limitations
//!
//! - A chain of certificates is verified, its revocation is not (no CRL, no OCSP). Private keys must not be encrypted. The
//!   system's authorities are read once per process; files named in [`TlsConfig`] again before each connection.
//! - Under TLS 1.3 a server refuses our certificate after the handshake. One that closes the connection at once, with our
//!   request unread, can hide its reason from us: the failure then is a lost connection, to be retried like the other.
//! - Proxies are asked for tunnels (CONNECT) only, in clear text; no `https://` and no `socks5://` proxies.
//! - `TonicClient` uses the TLS, the proxy and the credentials of its channel, not those configured here.
//! - Redirects are not followed, by design.
//! - A change of a name's addresses is noticed when a connection is opened; set [`ClientConfig::max_connection_age`] to have
//!   that happen.
//! - A peer's RST_STREAM other than a refusal counts as a lost connection, to be retried, as the data may not have
//!   arrived; gRPC would call some of them INTERNAL and give up.
//! - A health check asks one connection, so one of the addresses of a name. A ping says that the other end of the connection is alive,
//!   which may be a proxy: where the server has no `grpc.health.v1`, requests can fail while it counts as serving.
//! - A [`Client`] makes one attempt and follows no policy: putting the two together is its caller's, and queueing too.
//! - A [`ConcurrencyLimit`] counts requests, not bytes. Where many clients share a server that queues without end and refuses
//!   nothing, they see each other's queue and do not know it from a slow server: attempts time out at times.
//!
//! # When not to use this crate
//!
//! To export from an application through the `opentelemetry` SDK without a pipeline of your own, its `opentelemetry-otlp` is
//! simpler. If your requests are prost structs and speed does not matter, a generated tonic client is, too.
//!
//! # Features
//!
//! | feature | default | unlocks |
//! |---|---|---|
//! | `grpc` | yes | [`Protocol::Grpc`], over the h2 crate |
//! | `http` | yes | [`Protocol::HttpProtobuf`], over hyper (HTTP/1.1) and h2 (HTTP/2); needs neither tonic nor prost |
//! | `gzip` | yes | [`Compression::Gzip`], over zlib-rs |
//! | `zstd` | yes | [`Compression::Zstd`] |
//! | `json` | no | [`Protocol::HttpJson`] |
//! | `tls` | no | `https://` endpoints: rustls over ring (which needs a C compiler to build), the system's authorities. Without it [`TlsConfig`] can be written, and an `https://` endpoint is an error |
//! | `tonic` | no | `TonicClient`, over a channel that you built |

mod auth;
#[cfg(any(feature = "http", feature = "tonic"))]
mod body;
pub mod breaker;
mod budget;
mod client;
mod clock;
mod compress;
mod config;
#[cfg(any(feature = "grpc", feature = "http"))]
mod connect;
#[cfg(any(feature = "grpc", feature = "http", feature = "tonic"))]
mod endpoint;
#[cfg(any(feature = "grpc", feature = "http"))]
mod env;
mod env_use;
mod error;
mod failure;
#[cfg(any(feature = "grpc", feature = "tonic"))]
mod grpc;
#[cfg(any(feature = "grpc", feature = "http", feature = "tonic"))]
mod headers;
#[cfg(any(feature = "grpc", feature = "http"))]
mod health;
#[cfg(feature = "http")]
mod http;
#[cfg(any(feature = "grpc", feature = "http"))]
mod http2;
pub mod limit;
mod metrics;
pub mod outcome;
mod pause;
mod pool;
mod proxy;
mod request;
mod resilient;
mod retry;
mod status;
mod throttle;
mod tls;
#[cfg(feature = "tonic")]
mod tonic_channel;

pub use auth::{HeaderFuture, HeaderProvider, HeaderSource, ProvidedHeaders};
#[doc(inline)]
pub use breaker::{BreakerConfig, BreakerError, BreakerState, CircuitBreaker};
pub use budget::{BudgetConfig, RetryBudget, SharedBudget, Spend};
pub use client::Client;
pub use compress::{
    CompressionAnalyzer, CompressionReport, CompressionRow, CompressionStats, Compressor, InflateError,
};
pub use config::{ClientConfig, Compression, HttpVersion, Protocol};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use connect::{Resolve, Resolving};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use env::EnvNote;
pub use env_use::EnvUse;
pub use error::ConfigError;
pub use failure::{Failure, FailureKind};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use health::{Health, HealthChecker, HealthConfig, HealthSource, HealthState, HealthWatch};
#[doc(inline)]
pub use limit::{ConcurrencyGate, ConcurrencyLimit, Feedback, LimitConfig};
pub use metrics::{METRICS, write_metrics};
#[doc(inline)]
pub use outcome::Outcome;
pub use pause::{PauseClock, Turn};
pub use pool::{Connect, ConnectionPool, PoolConfig, PoolError, PoolStatus, PooledConnection, Retired};
pub use proxy::ProxyConfig;
pub use request::{Encoding, Format, Request};
pub use resilient::Resilient;
pub use retry::{
    Backoff, Completed, GaveUp, GaveUpReason, Jitter, RetryPolicy, RetryStats, RetryVerdict, Retryable,
};
pub use status::ClientStatus;
pub use throttle::Throttle;
pub use tls::{Pem, TlsConfig, TlsVersion};
#[cfg(feature = "tonic")]
pub use tonic_channel::TonicClient;
