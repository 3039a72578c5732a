//! The peer of a gRPC client: its connections and what every call to it has in common.

use std::sync::Arc;

use aqueduct_wire::Signal;
use aqueduct_wire::grpc::{format_timeout, prefix};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};

use super::call::exchange;
use super::health::Methods;
use super::{grpc_headers, json_refused};
use crate::client::Progress;
use crate::config::ClientConfig;
use crate::connect::{Dial, H2, Resolve, refusal};
use crate::endpoint::grpc_uris;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::headers::replace;
use crate::http2::{Call, Connector, HANDLES, Settings};
use crate::outcome::Outcome;
use crate::pool::{ConnectionPool, PooledConnection};
use crate::request::{Encoding, Format, Request};
use crate::status::Counters;

#[derive(Debug)]
pub(crate) struct Peer {
    uris: [Uri; Signal::ALL.len()],
    headers: HeaderMap,
    pub(super) pool: ConnectionPool<Connector>,
    max_response_bytes: usize,
    /// Of the health protocol.
    pub(super) methods: Methods,
}

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
pub(super) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

impl Peer {
    pub(crate) fn new(
        config: &ClientConfig,
        resolver: &Arc<dyn Resolve>,
        counters: &Arc<Counters>,
    ) -> Result<Self, ConfigError> {
        let (place, uris) = grpc_uris(&config.endpoint)?;
        let mut headers = grpc_headers(config)?;
        if config.send_timeout {
            let timeout = HeaderValue::try_from(format_timeout(config.timeout));
            headers.extend(timeout.ok().map(|timeout| (GRPC_TIMEOUT, timeout)));
        }
        let connector = Connector {
            dial: Dial::new(config, &place, H2, resolver, counters)?,
            settings: Settings::new(config, counters),
            counters: counters.clone(),
        };
        let pool = ConnectionPool::new(connector, config.pool(config.connections))?;
        let methods = Methods::new(&config.endpoint, &place)?;
        Ok(Self { uris, headers, pool, max_response_bytes: config.max_response_bytes, methods })
    }

    pub(crate) fn resize(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        self.pool.resize(min, max)
    }

    /// One attempt; `provided` are headers for this one.
    pub(crate) async fn call(
        &self,
        request: &Request,
        provided: Option<&HeaderMap>,
        progress: &Progress,
    ) -> (Outcome, Option<String>) {
        if request.format() != Format::Protobuf {
            return (json_refused(), None);
        }
        // The client's limit on request sizes is below 4 GiB.
        let len = u32::try_from(request.len()).unwrap_or(u32::MAX);
        let prefix = prefix(len, request.encoding() != Encoding::Identity);
        let mut ended = None;
        // Connections that were kept and have said goodbye are as many as there were; new ones that end at once are a sign.
        let mut fresh = 0;
        while fresh < HANDLES {
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(failure) => return (Outcome::retry(failure), None),
            };
            match Call::open(&connection, self.head(request, provided), &prefix, request).await {
                Ok(mut call) => {
                    progress.started(&connection.standing);
                    let ended = exchange(&mut call, self.max_response_bytes).await;
                    connection.standing.learn(&ended.0);
                    return ended;
                }
                Err(error) => {
                    fresh += usize::from(!connection.is_reused());
                    connection.discard();
                    ended = Some(error);
                }
            }
        }
        (Outcome::retry(never_began(ended)), None)
    }

    /// A connection of the pool.
    pub(super) async fn connection(&self) -> Result<PooledConnection<Connector>, Failure> {
        let none = |error| self.pool.connector().dial.none_from_pool(&error);
        self.pool.acquire().await.map_err(none)
    }

    fn head(&self, request: &Request, provided: Option<&HeaderMap>) -> http::Request<()> {
        let mut head = self.head_of(&self.uris[request.signal().index()], provided);
        if request.encoding() != Encoding::Identity {
            head.headers_mut().insert(GRPC_ENCODING, HeaderValue::from_static(request.encoding().as_str()));
        }
        head
    }

    /// The head of a call of this method.
    pub(super) fn head_of(&self, method: &Uri, provided: Option<&HeaderMap>) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        *head.uri_mut() = method.clone();
        *head.headers_mut() = self.headers.clone();
        replace(head.headers_mut(), provided);
        head
    }
}

/// Every connection that was given out had just ended, the last with this error.
pub(super) fn never_began(ended: Option<h2::Error>) -> Failure {
    if let Some(failure) = ended.as_ref().and_then(h2::Error::get_io).and_then(refusal) {
        return failure;
    }
    let reason = ended.map_or_else(String::new, |error| error.to_string());
    Failure::new(FailureKind::Refused, format!("connections end as soon as they begin: {reason}"))
}
