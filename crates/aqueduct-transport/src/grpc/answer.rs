//! From what came back on a stream to the outcome of the call. No I/O.

use std::time::SystemTime;

use aqueduct_wire::grpc::{PREFIX_LEN, Prefix, decode_details, decode_message};
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{HeaderName, StatusCode};

use crate::failure::{Failure, FailureKind};
use crate::outcome::{self, Outcome, outcome_of_grpc, outcome_of_response};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// The answer to a unary call while it arrives.
#[derive(Debug)]
pub(crate) struct Answer {
    http: StatusCode,
    headers: HeaderMap,
    body: Body,
    limit: usize,
}

/// An answer is almost always one piece, and then there is nothing to copy.
#[derive(Debug)]
enum Body {
    Empty,
    One(Bytes),
    Joined(BytesMut),
}

impl Answer {
    /// The head has arrived. The body may have `limit` bytes.
    pub(crate) fn new(http: StatusCode, headers: HeaderMap, limit: usize) -> Self {
        Self { http, headers, body: Body::Empty, limit: limit.saturating_add(PREFIX_LEN) }
    }

    /// The outcome, if the head alone decides it: a status in the headers ("Trailers-Only"), or no gRPC at all.
    pub(crate) fn decided_by_head(&self) -> Option<Outcome> {
        if let Some(status) = status(&self.headers) {
            // OK without a message is odd, but it is the server's word: nothing says that it rejected anything.
            return Some(outcome_of_grpc(&status));
        }
        if self.http != StatusCode::OK {
            let status = self.http.as_u16();
            let retry_after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Some(outcome_of_grpc(&Status {
                code: outcome::code_from_http(status),
                message: format!("HTTP status {status} from something that is no gRPC server"),
                retry_delay: retry_after
                    .and_then(|value| outcome::parse_retry_after(value, SystemTime::now())),
            }));
        }
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if !content_type.is_some_and(|value| value.starts_with(b"application/grpc")) {
            let content_type = String::from_utf8_lossy(content_type.unwrap_or(b"none"));
            let message =
                format!("content type {content_type:?} where gRPC was expected; is this the OTLP/gRPC port?");
            return Some(Outcome::Permanent(Failure::new(FailureKind::Protocol, message)));
        }
        None
    }

    /// A piece of the body has arrived.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<(), Outcome> {
        let len = match &self.body {
            Body::Empty => 0,
            Body::One(first) => first.len(),
            Body::Joined(all) => all.len(),
        };
        if data.len() > self.limit - len {
            let message = format!("more than {} bytes", self.limit - PREFIX_LEN);
            return Err(Outcome::Permanent(Failure::with_unknown_outcome(
                FailureKind::ResponseTooLarge,
                message,
            )));
        }
        if data.is_empty() {
            return Ok(());
        }
        self.body = match std::mem::replace(&mut self.body, Body::Empty) {
            Body::Empty => Body::One(data),
            Body::One(first) => {
                let mut all = BytesMut::with_capacity((first.len() + data.len()).next_power_of_two());
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                Body::Joined(all)
            }
            Body::Joined(mut all) => {
                all.extend_from_slice(&data);
                Body::Joined(all)
            }
        };
        Ok(())
    }

    /// The stream has ended, with these trailers. Also tells what was odd about it.
    pub(crate) fn finish(self, trailers: Option<HeaderMap>) -> (Outcome, Option<String>) {
        let Some(status) = trailers.as_ref().and_then(status) else {
            // The specification's mapping knows no status for this; it is UNKNOWN, which is not retryable. Nothing was
            // cut off (that would be an error of the stream), so it would happen again.
            let message = "the answer ended without a grpc-status";
            return (Outcome::Permanent(Failure::with_unknown_outcome(FailureKind::Protocol, message)), None);
        };
        if status.code != Code::Ok {
            return (outcome_of_grpc(&status), None);
        }
        match response(self.body.as_slice()) {
            Ok(response) => outcome_of_response(&response),
            // The status says that the data was taken, and the status is what gRPC goes by. A retry would duplicate the
            // data, as often as this server answers so.
            Err(reason) => {
                (Outcome::Delivered, Some(format!("status OK with a message that makes no sense: {reason}")))
            }
        }
    }
}

impl Body {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::One(data) => data,
            Self::Joined(data) => data,
        }
    }
}

/// The status in headers or trailers.
fn status(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get(GRPC_STATUS)?.as_bytes();
    let code = std::str::from_utf8(code).ok().and_then(|code| code.trim().parse().ok());
    let code = code.map_or(Code::Unknown, Code::from_u32);
    if code == Code::Ok {
        return Some(Status::new(code, ""));
    }
    let message =
        headers.get(GRPC_MESSAGE).map_or_else(String::new, |value| decode_message(value.as_bytes()));
    let details = headers.get(GRPC_STATUS_DETAILS).and_then(|value| decode_details(value.as_bytes()));
    // The headers are what intermediaries see and change; of the details only what they alone can say is used.
    Some(Status { code, message, retry_delay: details.and_then(|details| details.retry_delay) })
}

/// The one message of a successful answer.
fn response(body: &[u8]) -> Result<ExportResponse, String> {
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_LEN>() else {
        return Err(format!("{} bytes are no message", body.len()));
    };
    let prefix = Prefix::parse(prefix).map_err(|error| error.to_string())?;
    if prefix.compressed {
        return Err("compressed, which was not offered".to_owned());
    }
    if message.len() as u64 != u64::from(prefix.len) {
        return Err(format!("{} bytes where {} were announced", message.len(), prefix.len));
    }
    ExportResponse::decode(message).map_err(|error| error.to_string())
}
