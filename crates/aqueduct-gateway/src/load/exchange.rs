//! One unary gRPC call as a state machine: headers, message, trailers, and what they amount to.

use super::answer::{self, Attempt};
use aqueduct::wire::grpc;
use aqueduct::wire::rpc::{Code, ExportResponse};
use bytes::BytesMut;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, StatusCode};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Longest answer that is kept; the specification suggests 4 MiB, an export response is a few bytes.
const MAX_ANSWER: usize = 64 * 1024;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// How far the answer of a call has come.
pub(super) enum State {
    /// Waits for the answer's headers.
    Head(ResponseFuture),
    /// Reads the answer's message and trailers.
    Body(RecvStream, BytesMut),
}

/// How an exchange ended, and the reason if it was a bad end.
pub(super) type End = (Attempt, Option<String>);

impl State {
    pub(super) fn new(answer: ResponseFuture) -> Self {
        Self::Head(answer)
    }

    /// Moves on as far as possible.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self {
                Self::Head(answer) => match ready!(Pin::new(answer).poll(cx)) {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        if head.headers.contains_key(GRPC_STATUS) {
                            return Poll::Ready(by_status(&head.headers, &[]));
                        }
                        if head.status != StatusCode::OK {
                            let end = answer::by_http(head.status.as_u16(), None);
                            return Poll::Ready((end, Some(format!("HTTP status {}", head.status))));
                        }
                        *self = Self::Body(body, BytesMut::new());
                    }
                    Err(error) => return Poll::Ready(by_error(&error)),
                },
                Self::Body(body, message) => {
                    while let Some(data) = ready!(body.poll_data(cx)) {
                        match data {
                            Ok(data) if message.len() + data.len() <= MAX_ANSWER => {
                                // Fails only for more than was received.
                                let _ = body.flow_control().release_capacity(data.len());
                                message.extend_from_slice(&data);
                            }
                            Ok(_) => {
                                return Poll::Ready((Attempt::Rejected, Some("answer too long".to_owned())));
                            }
                            Err(error) => return Poll::Ready(by_error(&error)),
                        }
                    }
                    return Poll::Ready(match ready!(body.poll_trailers(cx)) {
                        Ok(Some(trailers)) => by_status(&trailers, message),
                        Ok(None) => (Attempt::Unknown, Some("answer without grpc-status".to_owned())),
                        Err(error) => by_error(&error),
                    });
                }
            }
        }
    }
}

fn by_error(error: &h2::Error) -> End {
    // REFUSED_STREAM promises that nothing was processed (RFC 9113, 8.7); after any other end the server may have the items.
    let attempt =
        if error.reason() == Some(Reason::REFUSED_STREAM) { Attempt::Unsent } else { Attempt::Unknown };
    (attempt, Some(error.to_string()))
}

fn by_status(headers: &HeaderMap, message: &[u8]) -> End {
    let Some(status) = headers.get(GRPC_STATUS) else {
        return (Attempt::Unknown, Some("answer without grpc-status".to_owned()));
    };
    if status.as_bytes() == b"0" {
        return by_message(message);
    }
    let code =
        status.to_str().ok().and_then(|text| text.parse::<u32>().ok()).map_or(Code::Unknown, Code::from_u32);
    let delay = headers
        .get(GRPC_DETAILS)
        .and_then(|details| grpc::decode_details(details.as_bytes()))
        .and_then(|status| status.retry_delay);
    let text =
        headers.get(GRPC_MESSAGE).map(|text| grpc::decode_message(text.as_bytes())).unwrap_or_default();
    (answer::by_grpc(code, delay), Some(format!("{}: {text}", code.as_str())))
}

/// The end by the message of a successful call: nearly always five bytes of prefix and nothing else.
fn by_message(message: &[u8]) -> End {
    let Some(body) = message.get(grpc::PREFIX_LEN..).filter(|body| !body.is_empty()) else {
        return (Attempt::Acknowledged, None);
    };
    match ExportResponse::decode(body) {
        Ok(response) if response.rejected > 0 => {
            (Attempt::Partial { rejected: response.rejected }, Some(response.message))
        }
        Ok(_) => (Attempt::Acknowledged, None),
        Err(error) => (Attempt::Unknown, Some(format!("unreadable answer: {error}"))),
    }
}
