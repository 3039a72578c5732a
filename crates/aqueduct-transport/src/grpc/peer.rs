//! The peer of a gRPC client: its connections and what every call to it has in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aqueduct_wire::Signal;
use aqueduct_wire::grpc::format_timeout;
use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, ResponseFuture};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};

use super::call::exchange;
use super::connection::{Setup, Slot};
use super::keepalive::Complaints;
use super::upload::Upload;
use super::{grpc_headers, json_refused};
use crate::client::Progress;
use crate::config::ClientConfig;
use crate::connect::Dial;
use crate::endpoint::grpc_uris;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::request::{Encoding, Format, Request};
use crate::status::Counters;

#[derive(Debug)]
pub(crate) struct Peer {
    uris: [Uri; Signal::ALL.len()],
    headers: HeaderMap,
    slots: Box<[Slot]>,
    /// Whose turn it is; a plain counter, so relaxed.
    turn: AtomicUsize,
    setup: Arc<Setup>,
    max_response_bytes: usize,
}

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How often one attempt may find that the connection it was given has just ended. Nothing was sent then, so going on
/// to the next is no retry.
const HANDLES: usize = 3;

impl Peer {
    pub(crate) fn new(config: &ClientConfig, counters: &Arc<Counters>) -> Result<Self, ConfigError> {
        let (place, uris) = grpc_uris(&config.endpoint)?;
        let mut headers = grpc_headers(config)?;
        if config.send_timeout {
            let timeout = HeaderValue::try_from(format_timeout(config.timeout));
            headers.extend(timeout.ok().map(|timeout| (GRPC_TIMEOUT, timeout)));
        }
        let mut http2 = Builder::new();
        http2
            .initial_window_size(config.stream_window_bytes)
            .initial_connection_window_size(config.connection_window_bytes)
            .max_header_list_size(config.max_header_list_bytes)
            .enable_push(false);
        let setup = Setup {
            dial: Dial {
                host: place.host,
                port: place.port,
                timeout: config.connect_timeout,
                tcp_keepalive: config.tcp_keepalive,
            },
            http2,
            keepalive_interval: config.keepalive_interval,
            keepalive_timeout: config.keepalive_timeout,
            complaints: Complaints::default(),
            counters: counters.clone(),
        };
        Ok(Self {
            uris,
            headers,
            slots: (0..config.connections).map(|_| Slot::default()).collect(),
            turn: AtomicUsize::new(0),
            setup: Arc::new(setup),
            max_response_bytes: config.max_response_bytes,
        })
    }

    pub(crate) async fn call(&self, request: &Request, progress: &Progress) -> (Outcome, Option<String>) {
        if request.format() != Format::Protobuf {
            return (json_refused(), None);
        }
        let slot = &self.slots[self.turn.fetch_add(1, Ordering::Relaxed) % self.slots.len()];
        let mut ended = None;
        for _ in 0..HANDLES {
            let (handle, ticket) = match slot.handle(&self.setup).await {
                Ok(up) => up,
                Err(failure) => return (Outcome::retry(failure), None),
            };
            match self.open(handle.send, request, progress).await {
                Ok((response, stream)) => {
                    let upload = Upload::new(stream, request);
                    let outcome = exchange(response, upload, self.max_response_bytes).await;
                    handle.answers.fetch_add(1, Ordering::Relaxed);
                    return outcome;
                }
                Err(error) => {
                    slot.forget(&ticket);
                    ended = Some(error);
                }
            }
        }
        let reason = ended.map_or_else(String::new, |error| error.to_string());
        (
            Outcome::retry(Failure::new(
                FailureKind::Refused,
                format!("connections end as soon as they begin: {reason}"),
            )),
            None,
        )
    }

    /// Opens a stream and sends the head on it. After an error nothing was sent.
    async fn open(
        &self,
        send: h2::client::SendRequest<Bytes>,
        request: &Request,
        progress: &Progress,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut send = send.ready().await?;
        let mut head = http::Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        *head.uri_mut() = self.uris[request.signal().index()].clone();
        *head.headers_mut() = self.headers.clone();
        if request.encoding() != Encoding::Identity {
            head.headers_mut().insert(GRPC_ENCODING, HeaderValue::from_static(request.encoding().as_str()));
        }
        let opened = send.send_request(head, false)?;
        progress.started();
        Ok(opened)
    }
}
