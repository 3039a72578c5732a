//! The client: one attempt at a time, over whichever protocol it was configured for.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aqueduct_wire::Merged;
#[cfg(any(feature = "grpc", feature = "http"))]
use aqueduct_wire::rpc::Code;
#[cfg(any(feature = "grpc", feature = "http"))]
use aqueduct_wire::{Merger, Signal};
use tokio::time::Instant;

#[cfg(any(feature = "grpc", feature = "http"))]
use crate::auth::Credentials;
use crate::compress::{CompressionStats, Compressor};
use crate::config::{ClientConfig, Compression, Protocol};
#[cfg(any(feature = "grpc", feature = "http"))]
use crate::connect::{Resolve, Standing, System};
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
#[cfg(feature = "grpc")]
use crate::grpc;
#[cfg(feature = "http")]
use crate::http;
use crate::outcome::Outcome;
use crate::request::{Encoding, Request};
use crate::status::{ClientStatus, Counters};

/// Delivers OTLP requests to one peer.
///
/// A client makes one attempt per [`send`](Self::send) and reports its [`Outcome`]; when to try again is the caller's
/// decision, helped by [`RetryPolicy`](crate::RetryPolicy) and [`PauseClock`](crate::PauseClock). Any number of sends
/// may run at once. Connections are opened by the first send that needs one and kept.
///
/// Must be used inside a tokio runtime with I/O and time enabled; a current-thread one is enough. Its connections
/// live as tasks of the runtime on which they were first needed; when that runtime ends, the next send opens new ones on
/// its own.
#[derive(Debug)]
#[doc(alias = "OtlpClient")]
#[doc(alias = "SpanExporter")]
pub struct Client {
    config: ClientConfig,
    max_connections: AtomicUsize,
    #[cfg(any(feature = "grpc", feature = "http"))]
    resolver: Arc<dyn Resolve>,
    link: Link,
    #[cfg(any(feature = "grpc", feature = "http"))]
    credentials: Option<Credentials>,
    json: bool,
    timeout: Duration,
    max_request_bytes: usize,
    compressor: Compressor,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Link {
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::Peer>),
    #[cfg(feature = "http")]
    Http(Box<http::Peer>),
}

/// Headers for one request.
#[cfg(any(feature = "grpc", feature = "http"))]
type Provided<'a> = Option<&'a ::http::HeaderMap>;
/// There is no one to send them to.
#[cfg(not(any(feature = "grpc", feature = "http")))]
type Provided<'a> = Option<&'a std::convert::Infallible>;

/// How far one attempt got, for the case that its time runs out.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Set before the first byte of the request is handed to a connection.
    pub(crate) sent: AtomicBool,
    /// What the attempt comes to even if the rest of the answer never arrives.
    pub(crate) verdict: OnceLock<Outcome>,
    /// Of the connection that the request was sent on last.
    #[cfg(any(feature = "grpc", feature = "http"))]
    standing: std::sync::Mutex<Option<Standing>>,
}

impl Progress {
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn started(&self, on: &Standing) {
        // Read by the same task only.
        self.sent.store(true, Ordering::Relaxed);
        *self.standing.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(on.clone());
    }

    pub(crate) fn timed_out(self, limit: Duration) -> Outcome {
        if let Some(verdict) = self.verdict.into_inner() {
            return verdict;
        }
        #[cfg(any(feature = "grpc", feature = "http"))]
        if let Some(standing) = self.standing.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            standing.failed();
        }
        let message = format!("no complete answer within {limit:?}");
        Outcome::retry(match self.sent.into_inner() {
            true => Failure::with_unknown_outcome(FailureKind::Timeout, message),
            false => Failure::new(FailureKind::Connect, format!("no connection within {limit:?}")),
        })
    }
}

impl Client {
    /// Checks the configuration and builds the client. Reads certificates for endpoints with TLS; otherwise no I/O, no task,
    /// no runtime needed yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the setting that makes no sense or that this build of the crate cannot do.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        Self::build(
            config,
            #[cfg(any(feature = "grpc", feature = "http"))]
            Arc::new(System),
        )
    }

    /// The same, with names looked up by this resolver instead of the system's.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub fn with_resolver(config: ClientConfig, resolver: Arc<dyn Resolve>) -> Result<Self, ConfigError> {
        Self::build(config, resolver)
    }

    fn build(
        config: ClientConfig,
        #[cfg(any(feature = "grpc", feature = "http"))] resolver: Arc<dyn Resolve>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let counters = Arc::new(Counters::default());
        let compressor = Compressor::new(config.compression)?;
        let link = Link::new(
            &config,
            #[cfg(any(feature = "grpc", feature = "http"))]
            &resolver,
            #[cfg(any(feature = "grpc", feature = "http"))]
            &counters,
        )?;
        Ok(Self {
            json: config.protocol == Protocol::HttpJson,
            timeout: config.timeout,
            max_request_bytes: config.max_request_bytes,
            link,
            #[cfg(any(feature = "grpc", feature = "http"))]
            credentials: config.header_source.clone().map(Credentials::new),
            compressor,
            counters,
            max_connections: AtomicUsize::new(config.most_connections()),
            config,
            #[cfg(any(feature = "grpc", feature = "http"))]
            resolver,
        })
    }

    /// A client of the same settings and resolver with connections and counts of its own. For a process that was forked: this one's connections belong to
    /// its parent.
    ///
    /// # Errors
    ///
    /// As [`Client::new`]: what the settings refer to may have changed since.
    pub fn fresh(&self) -> Result<Self, ConfigError> {
        Self::build(
            self.config.clone(),
            #[cfg(any(feature = "grpc", feature = "http"))]
            self.resolver.clone(),
        )
    }

    /// Turns a batch into what [`send`](Self::send) sends: JSON if that is the protocol, compressed if that is
    /// configured and makes it smaller.
    ///
    /// Takes CPU time and makes no I/O. Measured on 8 MiB of span-like data (one virtual core): 8 ms with Zstandard 1, 11 ms
    /// with gzip 1, 27 ms with gzip 6, nothing to speak of without compression. Prepare once, send as often as it takes.
    #[must_use]
    pub fn prepare(&self, batch: &Merged) -> Request {
        let plain = if self.json { self.json(batch) } else { Request::plain(batch) };
        self.compressor.compress(plain)
    }

    #[cfg(feature = "json")]
    fn json(&self, batch: &Merged) -> Request {
        match aqueduct_wire::json::from_protobuf(batch.signal(), &batch.to_bytes()) {
            Ok(json) => Request::json(batch, json),
            Err(error) => {
                // Chunks are validated, so this is a chunk that someone vouched for wrongly. The peer is told what it
                // gets, and can still take it or refuse it.
                self.counters.warned(format!("sent as protobuf, for it cannot be told in JSON: {error}"));
                Request::plain(batch)
            }
        }
    }

    #[cfg(not(feature = "json"))]
    #[allow(
        clippy::unused_self,
        reason = "stands in for the method of the same name under the feature `json`"
    )]
    fn json(&self, batch: &Merged) -> Request {
        // The configuration was refused; protobuf is at least the truth about its content type.
        Request::plain(batch)
    }

    /// Makes one attempt to deliver, and tells what came of it.
    ///
    /// Ends within [`ClientConfig::timeout`], whatever the peer does. Never panics. Outside a tokio runtime it answers a
    /// retryable failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the attempt: a stream is reset, an HTTP/1.1 connection closed. The peer may have
    /// taken the data nevertheless.
    pub async fn send(&self, request: &Request) -> Outcome {
        // A configured time is a day at most.
        let outcome = self.attempt(request, Instant::now() + self.timeout).await;
        self.counters.ended(&outcome, request.len());
        outcome
    }

    /// An attempt that does not count.
    pub(crate) async fn attempt(&self, request: &Request, deadline: Instant) -> Outcome {
        let size = request.uncompressed_len().max(request.len());
        if size > self.max_request_bytes {
            let message = format!("{size} bytes, our limit is {} bytes", self.max_request_bytes);
            return Outcome::TooLarge(Failure::new(FailureKind::RequestTooLarge, message));
        }
        if tokio::runtime::Handle::try_current().is_err() {
            return Outcome::retry(Failure::new(
                FailureKind::Connect,
                "a client needs a tokio runtime to send",
            ));
        }
        #[cfg(any(feature = "grpc", feature = "http"))]
        if let Some(credentials) = &self.credentials {
            return self.authorized(credentials, request, deadline).await;
        }
        self.exchange(request, None, deadline).await
    }

    /// Sends with headers that are fetched, and if the server does not accept them once more with new ones: it has refused the
    /// request, so nothing is duplicated.
    #[cfg(any(feature = "grpc", feature = "http"))]
    async fn authorized(&self, credentials: &Credentials, request: &Request, deadline: Instant) -> Outcome {
        let issued = match credentials.current(deadline).await {
            Ok(issued) => issued,
            Err(failure) => return Outcome::retry(failure),
        };
        let outcome = self.exchange(request, Some(&issued.headers), deadline).await;
        if !unauthenticated(&outcome) {
            return outcome;
        }
        match credentials.instead_of(&issued, deadline).await {
            Ok(renewed) => self.exchange(request, Some(&renewed.headers), deadline).await,
            Err(failure) => Outcome::retry(failure),
        }
    }

    /// One request and its answer.
    async fn exchange(&self, request: &Request, provided: Provided<'_>, deadline: Instant) -> Outcome {
        let progress = Progress::default();
        let answer = tokio::time::timeout_at(deadline, self.link.call(request, provided, &progress)).await;
        let (outcome, warning) = answer.unwrap_or_else(|_| (progress.timed_out(self.timeout), None));
        if let Some(warning) = warning {
            self.counters.warned(warning);
        }
        outcome
    }

    /// Changes how many connections there are to each place while the client is in use: what
    /// [`ClientConfig::connections`] and [`ClientConfig::max_connections`] say at first. Never ends a send in progress.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] unless `min <= max` and `max` is from 1 to 1,024. Nothing has changed then.
    pub fn resize(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        self.link.resize(min, max)?;
        // Read for reports.
        self.max_connections.store(max, Ordering::Relaxed);
        Ok(())
    }

    /// How many connections there are to each place at most.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.max_connections.load(Ordering::Relaxed)
    }

    /// As [`resize`](Self::resize), with as many at least as were configured, or `max` if that is less.
    ///
    /// # Errors
    ///
    /// As [`resize`](Self::resize).
    pub fn set_max_connections(&self, max: usize) -> Result<(), ConfigError> {
        self.resize(self.config.min_connections().min(max), max)
    }

    /// A snapshot of connections, counts and the last events. Takes one uncontended lock.
    #[must_use]
    pub fn status(&self) -> ClientStatus {
        self.counters.snapshot()
    }

    /// What compression costs and brings, since the client was built.
    #[must_use]
    pub fn compression(&self) -> CompressionStats {
        self.compressor.stats()
    }
}

impl Client {
    /// The codec that [`prepare`](Self::prepare) uses.
    #[must_use]
    pub fn codec(&self) -> Compression {
        self.compressor.codec()
    }

    /// Uses another codec, or another level, from the next [`prepare`](Self::prepare) on. What was prepared stays as it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: the level is outside the codec's range, or this build does not know the codec. Then nothing has changed.
    pub fn set_codec(&self, codec: Compression) -> Result<(), ConfigError> {
        self.compressor.set_codec(codec)
    }

    /// Whether a request in this encoding is what [`prepare`](Self::prepare) would make of its batch, but perhaps for the level: then it may be sent
    /// as it is.
    #[must_use]
    pub fn speaks(&self, encoding: Encoding) -> bool {
        let codec = match self.codec() {
            Compression::None => Encoding::Identity,
            Compression::Gzip(_) => Encoding::Gzip,
            Compression::Zstd(_) => Encoding::Zstd,
        };
        !self.json && encoding == codec
    }
}

/// What a health check needs.
#[cfg(any(feature = "grpc", feature = "http"))]
impl Client {
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The connections, if this is a client for gRPC.
    #[cfg(feature = "grpc")]
    pub(crate) const fn grpc(&self) -> Option<&grpc::Peer> {
        match &self.link {
            Link::Grpc(peer) => Some(peer),
            #[cfg(feature = "http")]
            Link::Http(_) => None,
        }
    }

    /// How many connections have been opened.
    #[cfg(feature = "grpc")]
    pub(crate) fn connects(&self) -> u64 {
        self.counters.connects()
    }

    #[cfg(feature = "grpc")]
    pub(crate) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// An export request with nothing in it.
    pub(crate) fn empty(&self, signal: Signal) -> Request {
        let nothing = Merger::new(signal).finish();
        if self.json { self.json(&nothing) } else { Request::plain(&nothing) }
    }
}

impl Link {
    #[cfg(not(any(feature = "grpc", feature = "http")))]
    fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        Err(ConfigError::FeatureMissing { feature: config.protocol.feature() })
    }

    #[cfg(any(feature = "grpc", feature = "http"))]
    fn new(
        config: &ClientConfig,
        resolver: &Arc<dyn Resolve>,
        counters: &Arc<Counters>,
    ) -> Result<Self, ConfigError> {
        match config.protocol {
            #[cfg(feature = "grpc")]
            Protocol::Grpc => Ok(Self::Grpc(Box::new(grpc::Peer::new(config, resolver, counters)?))),
            #[cfg(feature = "http")]
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                Ok(Self::Http(Box::new(http::Peer::new(config, resolver, counters)?)))
            }
            #[allow(unreachable_patterns, reason = "which patterns are left depends on the features")]
            _ => Err(ConfigError::FeatureMissing { feature: config.protocol.feature() }),
        }
    }

    fn resize(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        #[cfg(not(any(feature = "grpc", feature = "http")))]
        let _ = (min, max);
        match *self {
            #[cfg(feature = "grpc")]
            Self::Grpc(ref peer) => peer.resize(min, max),
            #[cfg(feature = "http")]
            Self::Http(ref peer) => peer.resize(min, max),
        }
    }

    /// The outcome of one attempt and what was odd about it.
    async fn call(
        &self,
        request: &Request,
        provided: Provided<'_>,
        progress: &Progress,
    ) -> (Outcome, Option<String>) {
        #[cfg(not(any(feature = "grpc", feature = "http")))]
        let _ = (request, provided, progress);
        // Without a protocol there is no value of this type, and nothing to match.
        match *self {
            #[cfg(feature = "grpc")]
            Self::Grpc(ref peer) => peer.call(request, provided, progress).await,
            #[cfg(feature = "http")]
            Self::Http(ref peer) => peer.call(request, provided, progress).await,
        }
    }
}

/// Whether the server refused the request because it does not know who sent it.
#[cfg(any(feature = "grpc", feature = "http"))]
fn unauthenticated(outcome: &Outcome) -> bool {
    let kind = outcome.failure().map(|failure| failure.kind);
    matches!(kind, Some(FailureKind::Http(401) | FailureKind::Status(Code::Unauthenticated)))
}
