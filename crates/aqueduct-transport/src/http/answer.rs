//! From an HTTP answer to the outcome of the request. No I/O.

use std::time::SystemTime;

use aqueduct_wire::rpc::{ExportResponse, Status};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use crate::failure::{Failure, FailureKind};
use crate::outcome::{
    Class, Outcome, classify_http, outcome_of_http, outcome_of_response, parse_retry_after,
};

/// What kind of body the answer announces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Protobuf,
    Json,
    Html,
    Other,
}

/// The outcome as far as the head alone tells it, for an answer that is no success.
pub(super) fn failed_by_head(status: StatusCode, headers: &HeaderMap) -> Option<Outcome> {
    match classify_http(status.as_u16()) {
        Class::Success => None,
        _ => Some(outcome_of_http(status.as_u16(), "", retry_after(headers))),
    }
}

/// The outcome of a complete answer, and what was odd about it.
pub(super) fn outcome(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> (Outcome, Option<String>) {
    let kind = kind(headers);
    if classify_http(status.as_u16()) != Class::Success {
        let (message, delay) = explanation(kind, body);
        return (outcome_of_http(status.as_u16(), &message, retry_after(headers).or(delay)), None);
    }
    let reason = match kind {
        // Full success is an empty message, and many servers send nothing at all, whatever they call it.
        _ if body.is_empty() => return (Outcome::Delivered, None),
        Kind::Protobuf => match ExportResponse::decode(body) {
            Ok(response) => return outcome_of_response(&response),
            Err(error) => error.to_string(),
        },
        Kind::Json => match json_response(body) {
            Ok(response) => return outcome_of_response(&response),
            Err(reason) => reason,
        },
        Kind::Html => {
            let message = format!("HTTP status {status} with an HTML page; is this an OTLP endpoint?");
            return (Outcome::Permanent(Failure::new(FailureKind::Protocol, message)), None);
        }
        Kind::Other => "neither protobuf nor JSON".to_owned(),
    };
    // By the specification a 200 means that the data was taken; a body that makes no sense does not take that back. A
    // retry would duplicate the data, as often as this server answers so.
    (Outcome::Delivered, Some(format!("HTTP status {status} with a body that makes no sense: {reason}")))
}

fn kind(headers: &HeaderMap) -> Kind {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    // Charset and case vary; a server that says nothing most likely speaks protobuf.
    if essence.is_empty() || essence.eq_ignore_ascii_case("application/x-protobuf") {
        Kind::Protobuf
    } else if essence.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else if essence.eq_ignore_ascii_case("text/html") {
        Kind::Html
    } else {
        Kind::Other
    }
}

fn retry_after(headers: &HeaderMap) -> Option<std::time::Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

/// What the server says about its error: the message of a `google.rpc.Status`, or the text as it is.
fn explanation(kind: Kind, body: &[u8]) -> (String, Option<std::time::Duration>) {
    let status = match kind {
        Kind::Protobuf => Status::decode(body).ok(),
        Kind::Json => json_status(body),
        Kind::Html => return ("an HTML page".to_owned(), None),
        Kind::Other => None,
    };
    match status {
        Some(status) => (status.message, status.retry_delay),
        None => {
            // Only the beginning will be kept.
            let text = &body[..body.len().min(Failure::MAX_MESSAGE)];
            (String::from_utf8_lossy(text).into_owned(), None)
        }
    }
}

#[cfg(feature = "json")]
fn json_response(body: &[u8]) -> Result<ExportResponse, String> {
    aqueduct_wire::json::response_from_json(body).map_err(|error| error.to_string())
}

#[cfg(feature = "json")]
fn json_status(body: &[u8]) -> Option<Status> {
    aqueduct_wire::json::status_from_json(body).ok()
}

#[cfg(not(feature = "json"))]
fn json_response(body: &[u8]) -> Result<ExportResponse, String> {
    match body.trim_ascii() {
        b"{}" => Ok(ExportResponse::FULL),
        _ => Err("JSON, which this build cannot read".to_owned()),
    }
}

#[cfg(not(feature = "json"))]
fn json_status(_: &[u8]) -> Option<Status> {
    None
}
