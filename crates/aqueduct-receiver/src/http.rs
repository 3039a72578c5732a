//! Answers in OTLP/HTTP, for HTTP/1.1 and HTTP/2 alike.

use crate::head::{ENCODINGS, Format};
use crate::said::{Failure, Said, retry_after_seconds};
use crate::stats::RefuseReason;
use ::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderValue, Response, StatusCode};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use bytes::Bytes;
use std::time::Duration;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The whole answer; `None` for no answer at all. `signal` is that of the request, if it got so far.
pub(crate) fn response(said: Said, format: Format, signal: Option<Signal>) -> Option<Response<Bytes>> {
    let response = match said {
        Said::Full => success(format, signal, &ExportResponse::FULL),
        Said::Partial(response) => success(format, signal, &response),
        Said::Failed(Failure { status, http, reason, .. }) => {
            let mut response = failure(http, format, &status, status.retry_delay);
            if reason == RefuseReason::Method {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            if reason == RefuseReason::ContentEncoding {
                response.headers_mut().insert(ACCEPT_ENCODING, ENCODINGS);
            }
            response
        }
        Said::Raw { status, retry_after, message } => {
            let code = match status {
                400 => Code::InvalidArgument,
                429 | 502..=504 => Code::Unavailable,
                _ => Code::Unknown,
            };
            failure(status, format, &Status::new(code, message), retry_after)
        }
        // There is no health check over OTLP/HTTP.
        Said::Health(_) | Said::Disconnect => return None,
    };
    Some(response)
}

fn success(format: Format, signal: Option<Signal>, response: &ExportResponse) -> Response<Bytes> {
    let body = match format {
        #[cfg(feature = "json")]
        Format::Json => {
            let signal = signal.unwrap_or(Signal::Traces);
            aqueduct_wire::json::response_to_json(signal, response).into()
        }
        _ => {
            // The protobuf form is the same for every signal.
            let _ = signal;
            response.encode().into()
        }
    };
    with_body(StatusCode::OK, format, body)
}

fn failure(http: u16, format: Format, status: &Status, retry_after: Option<Duration>) -> Response<Bytes> {
    let body = match format {
        #[cfg(feature = "json")]
        Format::Json => aqueduct_wire::json::status_to_json(status).into(),
        _ => status.encode().into(),
    };
    let code = StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = with_body(code, format, body);
    if let Some(delay) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds(delay)));
    }
    response
}

fn with_body(code: StatusCode, format: Format, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let json = cfg!(feature = "json") && format == Format::Json;
    response.headers_mut().insert(CONTENT_TYPE, if json { JSON } else { PROTOBUF });
    response
}
