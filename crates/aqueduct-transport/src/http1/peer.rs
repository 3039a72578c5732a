//! The peer of an OTLP/HTTP client: where each signal goes, and one attempt to get it there.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aqueduct_wire::Signal;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Uri};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;

use super::answer::{failed_by_head, outcome};
use super::connections::Connections;
use crate::body::Pieces;
use crate::client::Progress;
use crate::config::ClientConfig;
use crate::connect::Dial;
use crate::endpoint::{Endpoint, http_endpoints};
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::request::{Encoding, Format, Request};
use crate::status::Counters;

#[derive(Debug)]
pub(crate) struct Peer {
    targets: [Target; Signal::ALL.len()],
    max_response_bytes: usize,
}

/// Where one signal goes. Signals that go to the same place share its connections.
#[derive(Debug)]
struct Target {
    uri: Uri,
    headers: HeaderMap,
    connections: Arc<Connections>,
}

impl Peer {
    pub(crate) fn new(config: &ClientConfig, counters: &Arc<Counters>) -> Result<Self, ConfigError> {
        let base = crate::headers::base(config)?;
        let places = http_endpoints(&config.endpoint, &config.signal_endpoints)?;
        let mut shared: Vec<(Endpoint, Arc<Connections>)> = Vec::new();
        let targets = places.map(|place| {
            let known = shared.iter().find(|(other, _)| other.host == place.host && other.port == place.port);
            let connections = match known {
                Some((_, connections)) => connections.clone(),
                None => {
                    let dial = Dial {
                        host: place.host.clone(),
                        port: place.port,
                        timeout: config.connect_timeout,
                        tcp_keepalive: config.tcp_keepalive,
                    };
                    let header_bytes = config.max_header_list_bytes as usize;
                    let connections =
                        Connections::new(dial, header_bytes, config.idle_timeout, counters.clone());
                    let connections = Arc::new(connections);
                    shared.push((place.clone(), connections.clone()));
                    connections
                }
            };
            let mut headers = base.clone();
            // An authority is made of characters that a header may hold.
            headers.extend(HeaderValue::from_str(place.authority.as_str()).ok().map(|host| (HOST, host)));
            Target { uri: Uri::from(place.path), headers, connections }
        });
        Ok(Self { targets, max_response_bytes: config.max_response_bytes })
    }

    pub(crate) async fn call(&self, request: &Request, progress: &Progress) -> (Outcome, Option<String>) {
        let target = &self.targets[request.signal().index()];
        if let Some(sender) = target.connections.reuse().await
            && let Some(ended) = self.exchange(target, sender, request, progress, Connection::Kept).await
        {
            return ended;
        }
        let sender = match target.connections.open().await {
            Ok(sender) => sender,
            Err(failure) => return (Outcome::retry(failure), None),
        };
        match self.exchange(target, sender, request, progress, Connection::Fresh).await {
            Some(ended) => ended,
            None => {
                let message = "the connection ended before the request was on it";
                (Outcome::retry(Failure::new(FailureKind::Reset, message)), None)
            }
        }
    }

    /// One request on one connection. `None` if the connection had ended before the server can have seen the whole
    /// request, so that the same may be done again elsewhere.
    async fn exchange(
        &self,
        target: &Target,
        mut sender: SendRequest<Pieces>,
        request: &Request,
        progress: &Progress,
        connection: Connection,
    ) -> Option<(Outcome, Option<String>)> {
        let taken = Arc::new(AtomicBool::new(false));
        let body = Pieces::new(request.shared_pieces(), request.len(), taken.clone());
        let mut head = http::Request::new(body);
        *head.method_mut() = Method::POST;
        *head.uri_mut() = target.uri.clone();
        *head.headers_mut() = target.headers.clone();
        head.headers_mut().insert(CONTENT_TYPE, content_type(request.format()));
        if request.encoding() != Encoding::Identity {
            head.headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static(request.encoding().as_str()));
        }
        if request.is_empty() {
            // hyper leaves the length of an empty body out, and some servers refuse a POST without one (411).
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        progress.started();
        let response = match sender.try_send_request(head).await {
            Ok(response) => response,
            Err(mut error) => {
                let unsent = error.take_message().is_some();
                let incomplete = !taken.load(Ordering::Relaxed);
                return match connection {
                    Connection::Kept if unsent || incomplete => None,
                    Connection::Fresh if unsent => None,
                    Connection::Kept | Connection::Fresh => Some((lost(error.error(), incomplete), None)),
                };
            }
        };
        let (head, body) = response.into_parts();
        if let Some(verdict) = failed_by_head(head.status, &head.headers) {
            // Set once per attempt: an answer with a head is never tried again on another connection.
            let _ = progress.verdict.set(verdict);
        }
        Some(match read(body, self.max_response_bytes).await {
            Ok(body) => {
                // After an early answer the rest of the request may never be read.
                if taken.load(Ordering::Relaxed) {
                    target.connections.keep(sender);
                }
                outcome(head.status, &head.headers, &body)
            }
            Err(Unread::TooLarge) => {
                let message = format!("more than {} bytes", self.max_response_bytes);
                let failure = Failure::with_unknown_outcome(FailureKind::ResponseTooLarge, message);
                (Outcome::Permanent(failure), None)
            }
            Err(Unread::Lost(error)) => {
                (failed_by_head(head.status, &head.headers).unwrap_or_else(|| lost(&error, false)), None)
            }
        })
    }
}

/// Where a connection came from.
#[derive(Clone, Copy)]
enum Connection {
    Kept,
    Fresh,
}

enum Unread {
    TooLarge,
    Lost(hyper::Error),
}

/// Reads a body of at most `limit` bytes.
async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(Unread::Lost)?.into_data() else {
            continue;
        };
        if data.len() > limit - first.len().max(all.len()) {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            // An answer is almost always one piece, and then there is nothing to copy.
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn content_type(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    })
}

/// The outcome of a request whose connection failed. `incomplete`: the server cannot have seen all of it.
fn lost(error: &hyper::Error, incomplete: bool) -> Outcome {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    if error.is_parse_too_large() {
        return Outcome::Permanent(Failure::with_unknown_outcome(FailureKind::ResponseTooLarge, message));
    }
    let kind = if error.is_parse() { FailureKind::Protocol } else { FailureKind::Reset };
    Outcome::retry(Failure { outcome_unknown: !incomplete, ..Failure::new(kind, message) })
}
