//! Is the peer there, and does it take requests?
//!
//! ```text
//!  gRPC   Check --UNIMPLEMENTED--> ping --tells nothing--> empty export
//!  HTTP                                                    empty export
//! ```
//!
//! `route` decides which way is next and remembers what the peer does not implement, `renewal` when a watch begins again,
//! `report` what an answer means; they do no I/O. `watch` is the task of a stream of changes. The calls themselves are
//! made by the client's own parts, on its connections.
//!
//! Sources: "GRPC Health Checking Protocol"; gRPC proposal A17, for what UNIMPLEMENTED means.

#[cfg(feature = "grpc")]
mod ask;
mod config;
#[cfg(feature = "grpc")]
mod renewal;
mod report;
#[cfg(feature = "grpc")]
mod route;
mod watch;

use std::sync::Arc;
#[cfg(feature = "grpc")]
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::time::Instant;

pub use config::HealthConfig;
pub use report::{Health, HealthSource, HealthState};
pub use watch::HealthWatch;

use crate::client::Client;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
#[cfg(feature = "grpc")]
use route::{Lacks, Method, Way};

/// Finds out how the peer of a [`Client`] is, on the client's own connections, with its TLS, headers and credentials.
///
/// Over gRPC it asks `grpc.health.v1.Health`. A server that does not implement that is not asked again (until another
/// connection has been opened): from then on a connection that answers a ping counts as serving, and where there are no pings
/// ([`ClientConfig::keepalive_interval`] is `None`) or they tell nothing, an export request with nothing in it that is
/// accepted. Over HTTP it is always the empty export. [`Health::source`] says which it was.
///
/// A check is no attempt: it does not count in [`ClientStatus`](crate::ClientStatus), and does not touch a breaker or a
/// limit. Clones share what is known.
///
/// ```
/// use aqueduct_transport::{Client, ClientConfig, HealthChecker, HealthState, Protocol};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // Nobody listens there.
/// let client = Client::new(ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc))?;
/// let health = HealthChecker::new(client).check().await;
/// assert_eq!(health.state, HealthState::Unreachable);
/// println!("{health}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`ClientConfig::keepalive_interval`]: crate::ClientConfig::keepalive_interval
#[derive(Clone, Debug)]
#[doc(alias = "ConnectionHealthChecker")]
#[doc(alias = "grpc.health.v1")]
pub struct HealthChecker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Arc<Client>,
    config: HealthConfig,
    #[cfg(feature = "grpc")]
    lacks: Mutex<Lacks>,
}

impl HealthChecker {
    /// Checks the server as a whole, with the default settings. No I/O, no task, no runtime needed yet.
    #[must_use]
    pub fn new(client: impl Into<Arc<Client>>) -> Self {
        Self::build(client.into(), HealthConfig::default())
    }

    /// The same with these settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] names the setting that makes no sense.
    pub fn with_config(client: impl Into<Arc<Client>>, config: HealthConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::build(client.into(), config))
    }

    fn build(client: Arc<Client>, config: HealthConfig) -> Self {
        let inner = Inner {
            client,
            config,
            #[cfg(feature = "grpc")]
            lacks: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Asks how the peer is.
    ///
    /// Ends within [`ClientConfig::timeout`](crate::ClientConfig::timeout), whatever the peer does, and all ways together.
    /// Never panics. Whatever goes wrong is part of the answer. Over gRPC at most one ping in five seconds is sent on a
    /// connection; an answer to one that came in that time is proof enough.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets its stream and harms nothing else.
    pub async fn check(&self) -> Health {
        self.inner.check().await
    }

    /// Watches how the peer is, in a task of the runtime that this is called on, until the [`HealthWatch`] is dropped.
    ///
    /// Over gRPC by the stream of `Watch`: it holds one stream of one connection, and is begun again when it ends, with
    /// [back-off](HealthConfig::backoff), or is [silent](HealthConfig::watch_silence) for long. Where there is no such
    /// stream, by a [check](Self::check) at each [`HealthConfig::interval`].
    #[must_use = "dropping it ends the watch"]
    pub fn watch(&self) -> HealthWatch {
        HealthWatch::start(self.inner.clone())
    }
}

impl Inner {
    async fn check(&self) -> Health {
        if Handle::try_current().is_err() {
            return no_runtime();
        }
        let started = Instant::now();
        // A configured time is a day at most.
        let deadline = started + self.client.timeout();
        #[cfg(feature = "grpc")]
        if let Some(peer) = self.client.grpc() {
            let ways = self.lacks().ways(self.client.connects(), peer.pings());
            for way in ways {
                let health = match way {
                    Way::Check => self.ask(peer, started, deadline).await,
                    Way::Ping => self.ping(peer, started, deadline).await,
                    Way::EmptyExport => break,
                };
                if let Some(health) = health {
                    return health;
                }
            }
        }
        self.export_nothing(started, deadline).await
    }

    /// An export request without content, which a server has to accept (OTLP specification, "OTLP/gRPC Response": an empty
    /// request is a success).
    async fn export_nothing(&self, started: Instant, deadline: Instant) -> Health {
        let request = self.client.empty(self.config.signal);
        let outcome = self.client.attempt(&request, deadline).await;
        match outcome.failure() {
            None => Health::serving(HealthSource::EmptyExport, started.elapsed()),
            Some(failure) => Health::failed(failure.clone(), HealthSource::EmptyExport, started.elapsed()),
        }
    }

    #[cfg(feature = "grpc")]
    fn lacks(&self) -> MutexGuard<'_, Lacks> {
        // Each change is complete in itself.
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer has said that it does not implement this.
    #[cfg(feature = "grpc")]
    fn learn(&self, lacks: Method) {
        let connects = self.client.connects();
        self.lacks().learn(lacks, connects);
    }
}

fn no_runtime() -> Health {
    let failure = Failure::new(FailureKind::Connect, "a health check needs a tokio runtime");
    Health::failed(failure, HealthSource::Connection, std::time::Duration::ZERO)
}
