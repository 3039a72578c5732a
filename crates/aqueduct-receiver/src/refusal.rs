//! Why a request is refused, and how that is said in gRPC and in HTTP.

use crate::stats::RefuseReason;
use aqueduct_wire::rpc::{Code, Status};
use std::borrow::Cow;
use std::time::Duration;

/// A refusal by this crate (the handler's own are [`Answer`](crate::Answer)s).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: RefuseReason,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(reason: RefuseReason, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { reason, message: message.into(), retry_after: None }
    }

    pub(crate) fn overload(reason: RefuseReason, message: &'static str, retry_after: Duration) -> Refusal {
        Refusal { reason, message: message.into(), retry_after: Some(retry_after) }
    }

    /// The gRPC status. Only what may be retried has a code that OTLP lists as retryable.
    pub(crate) fn status(&self) -> Status {
        let code = match self.reason {
            RefuseReason::Budget | RefuseReason::Overloaded => Code::Unavailable,
            RefuseReason::TooLarge | RefuseReason::HeaderTooLarge => Code::ResourceExhausted,
            RefuseReason::Framing | RefuseReason::Panicked => Code::Internal,
            RefuseReason::ContentEncoding | RefuseReason::NotFound | RefuseReason::Method => {
                Code::Unimplemented
            }
            RefuseReason::UnknownService => Code::NotFound,
            RefuseReason::Timeout => Code::DeadlineExceeded,
            _ => Code::InvalidArgument,
        };
        Status { code, message: self.message.clone().into_owned(), retry_delay: self.retry_after }
    }

    /// The HTTP status.
    pub(crate) fn http_status(&self) -> u16 {
        match self.reason {
            RefuseReason::Budget | RefuseReason::Overloaded => 503,
            RefuseReason::TooLarge => 413,
            RefuseReason::HeaderTooLarge => 431,
            RefuseReason::Panicked => 500,
            RefuseReason::ContentEncoding | RefuseReason::ContentType => 415,
            RefuseReason::NotFound => 404,
            RefuseReason::Method => 405,
            RefuseReason::Timeout => 408,
            _ => 400,
        }
    }

    /// A gRPC call that is no gRPC call is refused by HTTP, for want of a common language.
    pub(crate) fn is_below_grpc(&self) -> bool {
        matches!(self.reason, RefuseReason::ContentType | RefuseReason::Method)
    }
}

/// The HTTP status under which an OTLP/HTTP client does what an OTLP/gRPC client does on this status: 503 and 504 for
/// codes that are retryable (OTLP specification, "Failures"), 429 for `RESOURCE_EXHAUSTED` with a `RetryInfo`, and codes that are
/// not retryable otherwise.
///
/// # Examples
///
/// ```
/// use aqueduct_receiver::http_status;
/// use aqueduct_wire::rpc::{Code, Status};
/// use std::time::Duration;
///
/// let full = Status::new(Code::ResourceExhausted, "quota");
/// assert_eq!(http_status(&full), 413);
/// assert_eq!(http_status(&full.with_retry_delay(Duration::from_secs(1))), 429);
/// assert_eq!(http_status(&Status::new(Code::Aborted, "conflict")), 503);
/// ```
#[must_use]
pub fn http_status(status: &Status) -> u16 {
    match status.code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists => 409,
        Code::ResourceExhausted if status.retry_delay.is_some() => 429,
        Code::ResourceExhausted => 413,
        Code::Unimplemented => 501,
        Code::DeadlineExceeded => 504,
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => 503,
        Code::Unknown | Code::Internal => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the specification's table: a code is retryable over HTTP exactly if it is over gRPC.
    #[test]
    fn retryable_in_grpc_is_retryable_in_http() {
        let grpc = [1, 4, 10, 11, 14, 15];
        for code in Code::ALL {
            let http = http_status(&Status::new(code, ""));
            assert_eq!(grpc.contains(&code.as_u32()), matches!(http, 429 | 502 | 503 | 504), "{code}");
        }
    }

    /// Guards that no refusal for the request's own fault invites a retry, and that overload does in both.
    #[test]
    fn only_overload_and_slowness_are_retryable() {
        for reason in RefuseReason::ALL {
            let refusal = Refusal::new(reason, "");
            let overload = matches!(reason, RefuseReason::Budget | RefuseReason::Overloaded);
            assert_eq!(matches!(refusal.http_status(), 429 | 502 | 503 | 504), overload, "{reason:?}");
            let grpc = [1, 4, 10, 11, 14, 15].contains(&refusal.status().code.as_u32());
            assert_eq!(grpc, overload || reason == RefuseReason::Timeout, "{reason:?}");
        }
    }
}
