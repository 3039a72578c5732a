//! What one attempt came to, and the specification's tables that decide it: pure functions, no I/O.
//!
//! Sources: the OTLP specification, sections "OTLP/gRPC Response", "OTLP/HTTP Response" and "OTLP/gRPC Throttling";
//! the gRPC documents "HTTP to gRPC Status Code Mapping" and "gRPC over HTTP2"; RFC 9110 section 10.2.3.

use std::time::{Duration, SystemTime};

use aqueduct_wire::rpc::{Code, Status};

use crate::failure::{Failure, FailureKind};

/// The longest wait that a server can ask for. One that asks for more (`Retry-After: 1000000000`) gets this: telemetry
/// held for longer is worth less than the memory it holds.
pub const MAX_SERVER_DELAY: Duration = Duration::from_secs(300);

/// The result of one attempt to deliver one request.
///
/// Complete in what can happen to the data; not in the causes, which are in [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The peer took everything.
    Delivered,
    /// The peer took the request and rejected some of its items for good. Never to be retried.
    Partial {
        /// Items the peer rejected. As the peer says; it may be more than were sent.
        rejected: u64,
        /// The peer's explanation, possibly empty.
        message: String,
    },
    /// Not delivered, or nobody knows; the same request may succeed later.
    Retry {
        /// How long the peer wants to be left alone at least, at most [`MAX_SERVER_DELAY`].
        after: Option<Duration>,
        /// Why.
        failure: Failure,
    },
    /// Not delivered, and the same request never will be.
    Permanent(Failure),
    /// Not delivered because it is too large for the peer or for our own limit; in smaller parts it may be.
    TooLarge(Failure),
}

impl Outcome {
    /// Whether the peer took the request, if only in part.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Delivered | Self::Partial { .. })
    }

    /// What went wrong, if something did.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Delivered | Self::Partial { .. } => None,
            Self::Retry { failure, .. } | Self::Permanent(failure) | Self::TooLarge(failure) => Some(failure),
        }
    }

    /// Success and failure apart, for what runs operations that return a [`Result`], such as
    /// [`RetryPolicy::run`](crate::RetryPolicy::run).
    ///
    /// # Errors
    ///
    /// The outcome itself, if the peer did not take the request.
    pub fn into_result(self) -> Result<Self, Self> {
        if self.is_success() { Ok(self) } else { Err(self) }
    }

    /// A failure that may go away, without a word from the peer about when.
    pub(crate) const fn retry(failure: Failure) -> Self {
        Self::Retry { after: None, failure }
    }
}

/// What a status means for the data; the columns of the specification's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The request was taken; the body says whether in full.
    Success,
    /// To be tried again.
    Retry,
    /// Never to be tried again.
    Permanent,
    /// Never to be tried again at this size.
    TooLarge,
}

/// Classifies a gRPC status by the table of the OTLP specification.
///
/// RESOURCE_EXHAUSTED is retryable only if the server attached a `RetryInfo`; without one it usually means that the
/// message was too large, which is told from its text (grpc-go: "received message larger than max", tonic: "message
/// length too large"). The codes being what they are, no server can say so in a better way. tonic servers answer
/// an oversized message with the retryable OUT_OF_RANGE; taken at its word it would be resent for ever, so that
/// one sentence counts as too large as well.
#[must_use]
pub fn classify_grpc(code: Code, message: &str, retry_info: Option<Duration>) -> Class {
    match code {
        Code::Ok => Class::Success,
        Code::OutOfRange if message.contains("message length too large") => Class::TooLarge,
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Class::Retry,
        Code::ResourceExhausted if retry_info.is_some() => Class::Retry,
        Code::ResourceExhausted if speaks_of_size(message) => Class::TooLarge,
        Code::ResourceExhausted
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => Class::Permanent,
    }
}

/// Whether a RESOURCE_EXHAUSTED is about the size of the message rather than about a quota.
fn speaks_of_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has = |words: &str| message.contains(words);
    has("too large")
        || has("larger than")
        || has("too big")
        || (has("size") && (has("exceed") || has("limit") || has("max")))
}

/// Classifies an HTTP status by the table of the OTLP specification: 429, 502, 503 and 504 are retryable and nothing
/// else is. 413 is worth a try in smaller parts. A 1xx or 3xx is permanent: redirects are not followed, because a
/// telemetry endpoint that moved, or an attacker, should not take the data and its credentials along.
#[must_use]
pub const fn classify_http(status: u16) -> Class {
    match status {
        200..=299 => Class::Success,
        429 | 502 | 503 | 504 => Class::Retry,
        413 => Class::TooLarge,
        _ => Class::Permanent,
    }
}

/// The gRPC status that an HTTP status stands for when a response without `grpc-status` comes back to a gRPC call,
/// usually from a proxy.
#[must_use]
pub const fn code_from_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// Reads a `Retry-After` header: seconds or an HTTP date (RFC 9110 section 10.2.3), at most [`MAX_SERVER_DELAY`]. A
/// date that is past is zero; what is neither is `None`.
#[must_use]
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are a very long time, too.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_SERVER_DELAY));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO).min(MAX_SERVER_DELAY))
}

/// The outcome of a gRPC status other than OK. For OK it is [`Outcome::Delivered`]: the caller looks at the body.
#[must_use]
pub fn outcome_of_grpc(status: &Status) -> Outcome {
    let after = status.retry_delay.map(|delay| delay.min(MAX_SERVER_DELAY));
    let failure = || Failure::new(FailureKind::Status(status.code), &status.message);
    match classify_grpc(status.code, &status.message, after) {
        Class::Success => Outcome::Delivered,
        Class::Retry => Outcome::Retry {
            after,
            // A server that cancelled or ran out of time may have stored the data first; the others refused it.
            failure: Failure {
                outcome_unknown: matches!(status.code, Code::Cancelled | Code::DeadlineExceeded),
                ..failure()
            },
        },
        Class::Permanent => Outcome::Permanent(failure()),
        Class::TooLarge => Outcome::TooLarge(failure()),
    }
}

/// The outcome of an HTTP status other than a success, with the server's `Retry-After` and its explanation.
#[must_use]
pub fn outcome_of_http(status: u16, message: &str, retry_after: Option<Duration>) -> Outcome {
    let failure = || Failure::new(FailureKind::Http(status), message);
    match classify_http(status) {
        Class::Success => Outcome::Delivered,
        Class::Retry => Outcome::Retry {
            after: retry_after.map(|delay| delay.min(MAX_SERVER_DELAY)),
            // A gateway that lost its own server in the middle cannot know.
            failure: Failure { outcome_unknown: matches!(status, 502 | 504), ..failure() },
        },
        Class::Permanent => Outcome::Permanent(failure()),
        Class::TooLarge => Outcome::TooLarge(failure()),
    }
}

/// The outcome of a success whose body said this: [`Outcome::Partial`] if items were rejected, else delivered, with
/// the server's warning if it has one.
#[cfg(any(feature = "grpc", feature = "http", feature = "tonic"))]
pub(crate) fn outcome_of_response(
    response: &aqueduct_wire::rpc::ExportResponse,
) -> (Outcome, Option<String>) {
    let message = crate::failure::tidy(&response.message);
    if response.rejected > 0 {
        (Outcome::Partial { rejected: response.rejected, message }, None)
    } else if message.is_empty() {
        (Outcome::Delivered, None)
    } else {
        (Outcome::Delivered, Some(message))
    }
}

#[cfg(test)]
#[path = "outcome/tests.rs"]
mod tests;
