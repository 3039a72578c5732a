//! The specification's tables, row by row.

use std::time::UNIX_EPOCH;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Guards every row of the gRPC table, with and without a `RetryInfo`.
#[test]
fn grpc_table() {
    use Class::{Permanent, Retry, Success};
    let table = [
        (Code::Ok, Success),
        (Code::Cancelled, Retry),
        (Code::Unknown, Permanent),
        (Code::InvalidArgument, Permanent),
        (Code::DeadlineExceeded, Retry),
        (Code::NotFound, Permanent),
        (Code::AlreadyExists, Permanent),
        (Code::PermissionDenied, Permanent),
        (Code::ResourceExhausted, Permanent),
        (Code::FailedPrecondition, Permanent),
        (Code::Aborted, Retry),
        (Code::OutOfRange, Retry),
        (Code::Unimplemented, Permanent),
        (Code::Internal, Permanent),
        (Code::Unavailable, Retry),
        (Code::DataLoss, Retry),
        (Code::Unauthenticated, Permanent),
    ];
    assert_eq!(table.map(|(code, _)| code), Code::ALL);
    for (code, class) in table {
        assert_eq!(classify_grpc(code, "", None), class, "{code:?}");
        let with_info = if code == Code::ResourceExhausted { Retry } else { class };
        assert_eq!(classify_grpc(code, "", Some(SECOND)), with_info, "{code:?} with RetryInfo");
    }
}

/// Guards every HTTP status there can be: four are retryable, and no other.
#[test]
fn http_table() {
    for status in 100..=599 {
        let class = match status {
            200..=299 => Class::Success,
            429 | 502 | 503 | 504 => Class::Retry,
            413 => Class::TooLarge,
            _ => Class::Permanent,
        };
        assert_eq!(classify_http(status), class, "{status}");
    }
}

/// Guards against the trap of retrying what can never succeed, in which a client is busy with poison for ever.
#[test]
fn retrying_everything() {
    let retried_codes =
        Code::ALL.into_iter().filter(|code| classify_grpc(*code, "", None) == Class::Retry).count();
    assert_eq!(retried_codes, 6);
    let retried_statuses = (100..=599).filter(|status| classify_http(*status) == Class::Retry).count();
    assert_eq!(retried_statuses, 4);
}

/// Guards the texts with which the common servers say that a message is too large.
#[test]
fn too_large_is_told_from_the_message() {
    let of = |code, message| classify_grpc(code, message, None);
    for message in [
        "grpc: received message larger than max (4194305 vs. 4194304)",
        "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        "request body too large",
        "message size exceeds the limit",
        "Message Too Big",
    ] {
        assert_eq!(of(Code::ResourceExhausted, message), Class::TooLarge, "{message}");
    }
    for message in ["", "quota exceeded for tenant", "rate limit exceeded", "too many requests"] {
        assert_eq!(of(Code::ResourceExhausted, message), Class::Permanent, "{message}");
    }
    // A throttled request stays retryable whatever the text says.
    assert_eq!(classify_grpc(Code::ResourceExhausted, "queue size limit", Some(SECOND)), Class::Retry);
    // tonic's answer to a message beyond its limit would be resent for ever.
    let tonic = "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
    assert_eq!(of(Code::OutOfRange, tonic), Class::TooLarge);
    assert_eq!(of(Code::OutOfRange, "too large"), Class::Retry);
}

/// Guards the gRPC document "HTTP to gRPC Status Code Mapping".
#[test]
fn http_to_grpc_mapping() {
    for (status, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (200, Code::Unknown),
        (302, Code::Unknown),
        (418, Code::Unknown),
        (500, Code::Unknown),
    ] {
        assert_eq!(code_from_http(status), code, "{status}");
    }
}

/// Guards the two forms of `Retry-After`, and the clamp against a server that asks for thirty years.
#[test]
fn retry_after() {
    // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let seconds = |n| Some(Duration::from_secs(n));
    for (value, expected) in [
        ("0", seconds(0)),
        ("120", seconds(120)),
        (" 7 ", seconds(7)),
        ("300", seconds(300)),
        ("301", seconds(300)),
        ("1000000000", seconds(300)),
        ("99999999999999999999999999", seconds(300)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", seconds(10)),
        ("Sunday, 06-Nov-94 08:49:47 GMT", seconds(10)),
        ("Sun Nov  6 08:49:47 1994", seconds(10)),
        ("Sun, 06 Nov 1994 08:49:07 GMT", seconds(0)),
        ("Fri, 31 Dec 2100 23:59:59 GMT", seconds(300)),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("\u{664}", None),
    ] {
        assert_eq!(parse_retry_after(value, now), expected, "{value:?}");
    }
}

/// Guards the clamp on `RetryInfo`, and the message that goes to a log.
#[test]
fn outcomes_are_clamped_and_tidy() {
    let status = Status {
        code: Code::Unavailable,
        message: "a\n\u{1b}[31mb".into(),
        retry_delay: Some(SECOND * 100_000),
    };
    let Outcome::Retry { after, failure } = outcome_of_grpc(&status) else { panic!("retryable") };
    assert_eq!(after, Some(MAX_SERVER_DELAY));
    assert_eq!(failure.to_string(), "status UNAVAILABLE: a  [31mb");

    let Outcome::Permanent(failure) = outcome_of_http(400, &"ü".repeat(10_000), None) else {
        panic!("permanent")
    };
    assert_eq!(failure.message.len(), Failure::MAX_MESSAGE);
}

/// Guards the mark on failures after which the data may be with the peer all the same.
#[test]
fn unknown_outcomes_are_marked() {
    let unknown = |outcome: Outcome| outcome.failure().expect("failed").outcome_unknown;
    for code in [Code::Cancelled, Code::DeadlineExceeded] {
        assert!(unknown(outcome_of_grpc(&Status::new(code, ""))), "{code:?}");
    }
    for code in [Code::Unavailable, Code::InvalidArgument, Code::ResourceExhausted] {
        assert!(!unknown(outcome_of_grpc(&Status::new(code, ""))), "{code:?}");
    }
    assert!(unknown(outcome_of_http(504, "", None)));
    assert!(!unknown(outcome_of_http(503, "", None)));
}
