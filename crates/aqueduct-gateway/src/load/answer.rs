//! What an answer means: the retry tables of the OTLP specification, from the client's side.
//!
//! Kept apart from the gateway's own tables on purpose: a mistake made once would otherwise cancel itself out.

use aqueduct::wire::rpc::Code;
use std::time::Duration;

/// How one attempt ended.
///
/// Complete for a client: anything else is one of these to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The server took all of it.
    Acknowledged,
    /// The server took all but so many items.
    Partial { rejected: u64 },
    /// The server asked to try again.
    Refused { after: Option<Duration> },
    /// The server will never take it.
    Rejected,
    /// The request was sent and nobody knows what became of it: timeout, reset, lost connection.
    Unknown,
    /// The request did not leave.
    Unsent,
}

/// The attempt's end by a gRPC status (specification, "OTLP/gRPC response", retryable codes).
pub(crate) fn by_grpc(code: Code, retry_delay: Option<Duration>) -> Attempt {
    match code {
        Code::Ok => Attempt::Acknowledged,
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Attempt::Refused { after: retry_delay },
        // Only with RetryInfo does this code mean "later"; without, "too much, ever".
        Code::ResourceExhausted if retry_delay.is_some() => Attempt::Refused { after: retry_delay },
        _ => Attempt::Rejected,
    }
}

/// The attempt's end by an HTTP status (specification, "OTLP/HTTP response", retryable codes).
pub(crate) fn by_http(status: u16, retry_after: Option<Duration>) -> Attempt {
    match status {
        200..=299 => Attempt::Acknowledged,
        429 | 502 | 503 | 504 => Attempt::Refused { after: retry_after },
        _ => Attempt::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the tables against a code that moves between "again" and "never".
    #[test]
    fn the_specification_tables() {
        let again = [1, 4, 10, 11, 14, 15];
        for number in 1..=16 {
            let code = Code::from_u32(number);
            let expected =
                if again.contains(&number) { Attempt::Refused { after: None } } else { Attempt::Rejected };
            assert_eq!(by_grpc(code, None), expected, "{code:?}");
        }
        let hint = Some(Duration::from_millis(200));
        assert_eq!(by_grpc(Code::ResourceExhausted, hint), Attempt::Refused { after: hint });
        for status in [400, 401, 404, 408, 413, 500, 501] {
            assert_eq!(by_http(status, hint), Attempt::Rejected, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(by_http(status, hint), Attempt::Refused { after: hint }, "{status}");
        }
    }
}
