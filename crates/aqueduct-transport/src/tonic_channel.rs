//! Sending over a channel that the user built with tonic.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aqueduct_wire::Signal;
use aqueduct_wire::grpc::{PREFIX_LEN, prefix};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};
use hyper::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Channel;

use crate::body::Pieces;
use crate::config::ClientConfig;
use crate::endpoint::grpc_uris;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::grpc::{Answer, grpc_headers, json_refused};
use crate::outcome::Outcome;
use crate::request::{Encoding, Format, Request};

/// Sends [`Request`]s over a `tonic::transport::Channel` that the user configured: with tonic's TLS, load balancing,
/// interceptors below it, or a connector of their own. The outcomes are those of [`Client`](crate::Client), and bodies are not
/// joined here either: only tonic's transport is used, not its codec.
///
/// Connecting, keepalive and concurrency are the channel's.
#[derive(Clone, Debug)]
pub struct TonicClient {
    channel: Channel,
    uris: [Uri; Signal::ALL.len()],
    headers: HeaderMap,
    timeout: Duration,
    max_response_bytes: usize,
}

impl TonicClient {
    /// A client on this channel. Of the configuration it uses headers, user agent, timeout, and the limit on answers;
    /// [`ClientConfig::endpoint`] tells the path prefix and what the peer is called, if the channel does not overrule it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the endpoint or a header is not valid.
    pub fn new(channel: Channel, config: &ClientConfig) -> Result<Self, ConfigError> {
        let (_, uris) = grpc_uris(&config.endpoint)?;
        Ok(Self {
            channel,
            uris,
            headers: grpc_headers(config)?,
            timeout: config.timeout,
            max_response_bytes: config.max_response_bytes,
        })
    }

    /// Makes one attempt to deliver, as [`Client::send`](crate::Client::send) does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream. The peer may have taken the data nevertheless.
    pub async fn send(&self, request: &Request) -> Outcome {
        match tokio::time::timeout(self.timeout, self.attempt(request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("no complete answer within {:?}", self.timeout);
                Outcome::retry(Failure::with_unknown_outcome(FailureKind::Timeout, message))
            }
        }
    }

    async fn attempt(&self, request: &Request) -> Outcome {
        if request.format() != Format::Protobuf {
            return json_refused();
        }
        let mut channel = self.channel.clone();
        if let Err(error) = poll_fn(|cx| GrpcService::<tonic::body::Body>::poll_ready(&mut channel, cx)).await
        {
            return Outcome::retry(Failure::new(FailureKind::Connect, reason(&error)));
        }
        let mut call = http::Request::new(tonic::body::Body::new(message(request)));
        *call.method_mut() = Method::POST;
        *call.version_mut() = Version::HTTP_2;
        *call.uri_mut() = self.uris[request.signal().index()].clone();
        *call.headers_mut() = self.headers.clone();
        if request.encoding() != Encoding::Identity {
            let encoding = HeaderValue::from_static(request.encoding().as_str());
            call.headers_mut().insert(HeaderName::from_static("grpc-encoding"), encoding);
        }
        let (head, mut body) = match channel.call(call).await {
            Ok(response) => response.into_parts(),
            // A channel does not tell a connection that failed from one that was lost.
            Err(error) => {
                return Outcome::retry(Failure::with_unknown_outcome(FailureKind::Reset, reason(&error)));
            }
        };
        let mut answer = Answer::new(head.status, head.headers, self.max_response_bytes);
        if let Some(outcome) = answer.decided_by_head() {
            return outcome;
        }
        let mut trailers = None;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(status) => {
                    let message = reason(&status);
                    return Outcome::retry(Failure::with_unknown_outcome(FailureKind::Reset, message));
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    if let Err(outcome) = answer.push(data) {
                        return outcome;
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
            }
        }
        answer.finish(trailers).0
    }
}

/// The body of a call: the prefix and the pieces.
fn message(request: &Request) -> Pieces {
    // The limit on request sizes is below 4 GiB.
    let len = u32::try_from(request.len()).unwrap_or(u32::MAX);
    let prefix = prefix(len, request.encoding() != Encoding::Identity);
    let pieces = std::iter::once(Bytes::copy_from_slice(&prefix)).chain(request.pieces().iter().cloned());
    Pieces::new(pieces.collect(), PREFIX_LEN + request.len(), Arc::new(AtomicBool::new(false)))
}

/// tonic's errors say "transport error" and keep the cause for those who ask.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
