//! The peer of an OTLP/HTTP client: where each signal goes, and one attempt to get it there.

use std::sync::Arc;

use aqueduct_wire::Signal;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Uri};

use super::connector::{Connection, Connector};
use super::http1::Exchange;
use super::http2::exchange;
use crate::client::Progress;
use crate::config::{ClientConfig, HttpVersion};
use crate::connect::{Dial, EITHER, H2, HTTP1, Resolve};
use crate::endpoint::{Endpoint, http_endpoints};
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::headers::replace;
use crate::http2;
use crate::outcome::Outcome;
use crate::pool::ConnectionPool;
use crate::request::{Encoding, Format, Request};
use crate::status::Counters;

#[derive(Debug)]
pub(crate) struct Peer {
    targets: [Target; Signal::ALL.len()],
    headers: HeaderMap,
    max_response_bytes: usize,
}

/// Where one signal goes. Signals that go to the same place share its connections.
#[derive(Debug)]
struct Target {
    /// In full, for HTTP/2.
    url: Uri,
    /// Without scheme and authority, for HTTP/1.1.
    path: Uri,
    /// The authority, for HTTP/1.1.
    host: HeaderValue,
    pool: Arc<ConnectionPool<Connector>>,
}

impl Peer {
    pub(crate) fn new(
        config: &ClientConfig,
        resolver: &Arc<dyn Resolve>,
        counters: &Arc<Counters>,
    ) -> Result<Self, ConfigError> {
        let headers = crate::headers::base(config)?;
        let places = http_endpoints(&config.endpoint, &config.signal_endpoints)?;
        let alpn = match config.http_version {
            HttpVersion::Auto => EITHER,
            HttpVersion::Http1 => HTTP1,
            HttpVersion::Http2 => H2,
        };
        let mut shared: Vec<(Endpoint, Arc<ConnectionPool<Connector>>)> = Vec::new();
        for place in &places {
            if pool_of(&shared, place).is_none() {
                let pool = ConnectionPool::new(
                    Connector::new(
                        Dial::new(config, place, alpn, resolver, counters)?,
                        config.http_version,
                        config.max_header_list_bytes as usize,
                        http2::Settings::new(config, counters),
                        counters.clone(),
                    ),
                    config.pool(config.min_connections()),
                )?;
                shared.push((place.clone(), Arc::new(pool)));
            }
        }
        let mut targets = Vec::new();
        for place in places {
            // Each place was given a pool above, and an authority is made of characters that a header may hold.
            let pool = pool_of(&shared, &place);
            let host = HeaderValue::from_str(place.authority.as_str()).ok();
            if let Some((pool, host)) = pool.zip(host) {
                let (url, path) = (place.uri(), Uri::from(place.path));
                targets.push(Target { url, path, host, pool });
            }
        }
        let targets = targets.try_into().map_err(|_| ConfigError::Endpoint {
            endpoint: config.endpoint.clone(),
            reason: "its host cannot stand in a header".to_owned(),
        })?;
        Ok(Self { targets, headers, max_response_bytes: config.max_response_bytes })
    }

    /// Resizes the pool of each place.
    pub(crate) fn resize(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        self.targets.iter().try_for_each(|target| target.pool.resize(min, max))
    }

    /// One attempt; `provided` are headers for this one.
    pub(crate) async fn call(
        &self,
        request: &Request,
        provided: Option<&HeaderMap>,
        progress: &Progress,
    ) -> (Outcome, Option<String>) {
        let target = &self.targets[request.signal().index()];
        // Each turn takes a connection out of the pool that has just ended, so there are as many turns as were kept.
        loop {
            let connection = match target.pool.acquire().await {
                Ok(connection) => connection,
                Err(error) => {
                    let failure = target.pool.connector().dial().none_from_pool(&error);
                    return (Outcome::retry(failure), None);
                }
            };
            let reused = connection.is_reused();
            let head = self.head(request, provided);
            let refused = match self.exchange(target, &connection, reused, head, request, progress).await {
                Ok(ended) => {
                    connection.standing().learn(&ended.0);
                    return ended;
                }
                Err(refused) => refused,
            };
            connection.discard();
            if !reused {
                let failure = refused.unwrap_or_else(|| {
                    Failure::new(FailureKind::Reset, "the connection ended before the request was on it")
                });
                return (Outcome::retry(failure), None);
            }
        }
    }

    /// One request on one connection. An error if the same may be done again elsewhere; with a failure if the peer refused to go on.
    async fn exchange(
        &self,
        target: &Target,
        connection: &Connection,
        reused: bool,
        mut head: http::Request<()>,
        request: &Request,
        progress: &Progress,
    ) -> Result<(Outcome, Option<String>), Option<Failure>> {
        let max_response_bytes = self.max_response_bytes;
        match connection {
            Connection::Http1(connection) => {
                *head.uri_mut() = target.path.clone();
                head.headers_mut().insert(HOST, target.host.clone());
                let exchange = Exchange { head, request, progress, max_response_bytes, reused };
                match connection.exchange(exchange).await {
                    Some(ended) => Ok(ended),
                    None if reused => Err(None),
                    None => Err(connection.refused().await),
                }
            }
            Connection::Http2(connection) => {
                *head.uri_mut() = target.url.clone();
                exchange(connection, head, request, progress, max_response_bytes).await
            }
        }
    }

    /// The head of a request, without what depends on the version of HTTP.
    fn head(&self, request: &Request, provided: Option<&HeaderMap>) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = Method::POST;
        *head.headers_mut() = self.headers.clone();
        replace(head.headers_mut(), provided);
        head.headers_mut().insert(CONTENT_TYPE, content_type(request.format()));
        if request.encoding() != Encoding::Identity {
            let encoding = HeaderValue::from_static(request.encoding().as_str());
            head.headers_mut().insert(CONTENT_ENCODING, encoding);
        }
        head
    }
}

/// The pool of the place with the same peer, if there is one yet.
fn pool_of(
    pools: &[(Endpoint, Arc<ConnectionPool<Connector>>)],
    place: &Endpoint,
) -> Option<Arc<ConnectionPool<Connector>>> {
    pools.iter().find(|(other, _)| other.same_peer(place)).map(|(_, pool)| pool.clone())
}

fn content_type(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    })
}
