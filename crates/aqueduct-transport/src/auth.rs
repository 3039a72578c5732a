//! Headers that have to be fetched, such as tokens that expire.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(any(feature = "grpc", feature = "http"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(any(feature = "grpc", feature = "http"))]
use http::HeaderMap;
#[cfg(any(feature = "grpc", feature = "http"))]
use tokio::time::{Instant, timeout_at};

#[cfg(any(feature = "grpc", feature = "http"))]
use crate::failure::{Failure, FailureKind};

/// What a [`HeaderProvider`] will answer.
pub type HeaderFuture<'a> =
    Pin<Box<dyn Future<Output = Result<ProvidedHeaders, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Fetches headers that go with every request, such as an OAuth token.
///
/// The client keeps what it gets, and asks again when it is no longer valid or when the server has answered 401
/// (gRPC: UNAUTHENTICATED). However many sends need headers, one asks and the others wait for the same answer. A send
/// waits no longer than its own time limit; if the one that asks gives up its future is dropped, and the next asks anew.
///
/// Implemented for functions that return a future:
///
/// ```
/// use std::time::Duration;
/// use aqueduct_transport::{ClientConfig, HeaderSource, Protocol, ProvidedHeaders};
///
/// let mut config = ClientConfig::new("https://collector.example:4317", Protocol::Grpc);
/// config.header_source = Some(HeaderSource::new(|| async {
///     let token = "..."; // Ask the authorization server.
///     let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
///     Ok(ProvidedHeaders::new(headers).valid_for(Duration::from_secs(300)))
/// }));
/// ```
pub trait HeaderProvider: Send + Sync {
    /// Fetches the headers. What goes wrong is a failure of the attempt, to be retried; its text becomes part of the failure's
    /// message, so it should hold no secret.
    fn fetch(&self) -> HeaderFuture<'_>;
}

impl<F, R> HeaderProvider for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<ProvidedHeaders, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn fetch(&self) -> HeaderFuture<'_> {
        Box::pin(self())
    }
}

/// Headers as a [`HeaderProvider`] gives them. `Debug` shows their names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProvidedHeaders {
    headers: Vec<(String, String)>,
    valid_for: Option<Duration>,
}

impl ProvidedHeaders {
    /// These headers, until a server refuses them. They take the place of headers of the same name in
    /// [`ClientConfig::headers`](crate::ClientConfig::headers); what may not stand there may not stand here either.
    #[must_use]
    pub const fn new(headers: Vec<(String, String)>) -> Self {
        Self { headers, valid_for: None }
    }

    /// For no longer than this from now on. Zero is for one request; where several wait for it, for each of them.
    #[must_use]
    pub const fn valid_for(mut self, time: Duration) -> Self {
        self.valid_for = Some(time);
        self
    }
}

impl fmt::Debug for ProvidedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| (name.as_str(), "..")).collect();
        f.debug_struct("ProvidedHeaders")
            .field("headers", &headers)
            .field("valid_for", &self.valid_for)
            .finish()
    }
}

/// A [`HeaderProvider`] that configurations share. Two are equal if they are clones of one.
#[derive(Clone)]
#[doc(alias = "ClientAuthenticator")]
pub struct HeaderSource(Arc<dyn HeaderProvider>);

impl HeaderSource {
    /// Asks this provider.
    pub fn new(provider: impl HeaderProvider + 'static) -> Self {
        Self(Arc::new(provider))
    }
}

impl PartialEq for HeaderSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HeaderSource {}

impl fmt::Debug for HeaderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderSource(..)")
    }
}

/// The headers of one client, fetched when they are needed.
#[cfg(any(feature = "grpc", feature = "http"))]
#[derive(Debug)]
pub(crate) struct Credentials {
    source: HeaderSource,
    /// What the last fetch brought. Who fetches holds the lock, so the others wait for what it brings.
    last: tokio::sync::Mutex<Option<Result<Arc<Issued>, Failure>>>,
    /// How many fetches have ended; written under the lock. A reader without it that sees too small a number takes a result
    /// for fresh that is one fetch older, which does no harm, so relaxed.
    fetches: AtomicU64,
}

/// Headers that were fetched.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) struct Issued {
    pub(crate) headers: HeaderMap,
    number: u64,
    until: Option<Instant>,
}

#[cfg(any(feature = "grpc", feature = "http"))]
impl Credentials {
    pub(crate) fn new(source: HeaderSource) -> Self {
        Self { source, last: tokio::sync::Mutex::new(None), fetches: AtomicU64::new(0) }
    }

    /// The headers for a request.
    pub(crate) async fn current(&self, deadline: Instant) -> Result<Arc<Issued>, Failure> {
        self.before(deadline, self.obtain(None)).await
    }

    /// Other headers than these, which the server has refused.
    pub(crate) async fn instead_of(
        &self,
        refused: &Issued,
        deadline: Instant,
    ) -> Result<Arc<Issued>, Failure> {
        self.before(deadline, self.obtain(Some(refused.number))).await
    }

    async fn before(
        &self,
        deadline: Instant,
        obtain: impl Future<Output = Result<Arc<Issued>, Failure>>,
    ) -> Result<Arc<Issued>, Failure> {
        let late = || Failure::new(FailureKind::Credentials, "the header provider did not answer in time");
        timeout_at(deadline, obtain).await.unwrap_or_else(|_| Err(late()))
    }

    async fn obtain(&self, refused: Option<u64>) -> Result<Arc<Issued>, Failure> {
        let seen = self.fetches.load(Ordering::Relaxed);
        let mut last = self.last.lock().await;
        let fetched_meanwhile = self.fetches.load(Ordering::Relaxed) != seen;
        // Forgotten before others are fetched: if there is no time for that, whoever comes next shall not try these again.
        last.take_if(|last| last.as_ref().is_ok_and(|issued| refused == Some(issued.number)));
        match &*last {
            Some(Ok(issued)) if fetched_meanwhile || issued.valid(Instant::now()) => {
                return Ok(issued.clone());
            }
            Some(Err(failure)) if fetched_meanwhile => return Err(failure.clone()),
            Some(_) | None => {}
        }
        let fetched = self.fetch().await;
        self.fetches.fetch_add(1, Ordering::Relaxed);
        last.insert(fetched).clone()
    }

    async fn fetch(&self) -> Result<Arc<Issued>, Failure> {
        let failure = |reason: String| Failure::new(FailureKind::Credentials, reason);
        let provided = self.source.0.fetch().await;
        let provided = provided.map_err(|error| failure(format!("the header provider failed: {error}")))?;
        let mut headers = HeaderMap::with_capacity(provided.headers.len());
        crate::headers::append(&mut headers, &provided.headers)
            .map_err(|error| failure(format!("the header provider gave what cannot be sent: {error}")))?;
        Ok(Arc::new(Issued {
            headers,
            number: self.fetches.load(Ordering::Relaxed),
            // Longer than the clock can tell is for ever.
            until: provided.valid_for.and_then(|time| Instant::now().checked_add(time)),
        }))
    }
}

#[cfg(any(feature = "grpc", feature = "http"))]
impl Issued {
    fn valid(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(any(feature = "grpc", feature = "http"))]
impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Issued").field("headers", &names).field("until", &self.until).finish_non_exhaustive()
    }
}
