//! Answers in gRPC over HTTP/2.

use crate::head::GRPC_ENCODINGS;
use crate::said::{Failure, Said};
use crate::stats::RefuseReason;
use aqueduct_wire::grpc::{PREFIX_LEN, encode_details, encode_message, prefix};
use aqueduct_wire::rpc::health;
use bytes::Bytes;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const ZERO: HeaderValue = HeaderValue::from_static("0");
/// The answer of nearly every call: a message of no bytes.
const FULL_SUCCESS: [u8; PREFIX_LEN] = prefix(0, false);
/// Longest message: with the details, which repeat it, it has to fit into the 8 KiB of headers that every client takes.
const LONGEST_MESSAGE: usize = 1024;

/// Says it. What cannot be said in gRPC is given back, to be said in HTTP.
pub(crate) fn say(respond: &mut SendResponse<Bytes>, said: Said) -> Result<(), Said> {
    // A failure to answer means that the client has gone; there is nobody left to tell.
    match said {
        Said::Full => drop(succeed(respond, Bytes::from_static(&FULL_SUCCESS))),
        Said::Partial(response) => drop(succeed(respond, framed(&response.encode()))),
        Said::Health(status) => drop(succeed(respond, framed(&health::encode_response(status)))),
        Said::Failed(failure) if !failure.below_grpc => drop(fail(respond, failure)),
        said => return Err(said),
    }
    Ok(())
}

fn framed(message: &[u8]) -> Bytes {
    // A message is an export response: far from 4 GiB.
    [&prefix(message.len() as u32, false), message].concat().into()
}

fn succeed(respond: &mut SendResponse<Bytes>, message: Bytes) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(message, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, ZERO);
    stream.send_trailers(trailers)
}

/// A "Trailers-Only" answer (gRPC over HTTP2, "Responses").
fn fail(respond: &mut SendResponse<Bytes>, failure: Failure) -> Result<(), h2::Error> {
    let Failure { mut status, reason, .. } = failure;
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from(status.code.as_u32()));
    if status.message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|&at| status.message.is_char_boundary(at)).unwrap_or(0);
        status.message.truncate(end);
    }
    insert(headers, GRPC_MESSAGE, encode_message(&status.message));
    if status.retry_delay.is_some() {
        // Only a delay is worth the bytes: without one the details say what the status says.
        insert(headers, GRPC_DETAILS, encode_details(&status));
    }
    if reason == RefuseReason::ContentEncoding {
        headers.insert(GRPC_ACCEPT_ENCODING, GRPC_ENCODINGS);
    }
    respond.send_response(response, true).map(drop)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Both encodings leave only printable ASCII, so that this does not fail; if it did, the status would still be there.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
