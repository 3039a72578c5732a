//! OTLP/gRPC: unary calls over HTTP/2, with our own framing of messages.

mod answer;
#[cfg(feature = "grpc")]
mod call;
#[cfg(feature = "grpc")]
mod health;
#[cfg(feature = "grpc")]
mod peer;

pub(crate) use answer::Answer;
#[cfg(feature = "grpc")]
pub(crate) use health::{Ended, Listen, Pinged};
#[cfg(feature = "grpc")]
pub(crate) use peer::Peer;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};

use crate::config::ClientConfig;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;

/// The headers of every call.
pub(crate) fn grpc_headers(config: &ClientConfig) -> Result<HeaderMap, ConfigError> {
    let mut headers = crate::headers::base(config)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    Ok(headers)
}

/// A request that was prepared by a client for OTLP/JSON and handed to one for gRPC.
pub(crate) fn json_refused() -> Outcome {
    Outcome::Permanent(Failure::new(
        FailureKind::Protocol,
        "gRPC carries no JSON; prepare the request with this client",
    ))
}
