//! What a health check has found out, and the tables that decide it. No I/O.

use std::fmt;
use std::time::Duration;

use aqueduct_wire::rpc::Code;
#[cfg(feature = "grpc")]
use aqueduct_wire::rpc::health::ServingStatus;

use crate::failure::{Failure, FailureKind};

/// What one health check has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How the peer is.
    pub state: HealthState,
    /// How that was found out.
    pub source: HealthSource,
    /// From the question to the answer, connecting included. Zero for what a watch says after its first word, which
    /// nobody asked for.
    pub latency: Duration,
    /// Why it is not known to be serving; none if the peer itself said how it is.
    pub failure: Option<Failure>,
}

/// How a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "ServingStatus")]
pub enum HealthState {
    /// Requests are welcome, as far as its [`HealthSource`] can tell.
    #[doc(alias = "healthy")]
    Serving,
    /// It is there, and requests would fail: NOT_SERVING, or an answer that says so (UNAVAILABLE, an HTTP status 429 or from 500
    /// on).
    #[doc(alias = "unhealthy")]
    NotServing,
    /// It is there, and has no service of this name.
    ServiceUnknown,
    /// It is there, and refuses us: UNAUTHENTICATED, PERMISSION_DENIED, the HTTP statuses 401, 403 and 407.
    Refused,
    /// Something is there, and it is not what was asked for: the wrong path (404, 405), a redirect, another protocol.
    WrongEndpoint,
    /// No connection, a lost one, or no answer in time.
    #[doc(alias = "down")]
    Unreachable,
    /// It says that it does not know, or nothing follows from what it says.
    Unknown,
}

/// How it was found out how a peer is, the one that says most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthSource {
    /// It was said by the stream of `grpc.health.v1.Health/Watch`.
    Watch,
    /// It was said in the answer to `grpc.health.v1.Health/Check`.
    Check,
    /// The peer took an export request with nothing in it, or refused it. Tells more than a connection: path, credentials and
    /// protocol are right.
    EmptyExport,
    /// A connection could be had and a ping was answered, or not. A proxy on the way answers pings as well.
    Connection,
}

impl Health {
    /// Whether requests are welcome, as far as is known.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.state == HealthState::Serving
    }

    /// What the peer itself said about a service.
    #[cfg(feature = "grpc")]
    pub(super) const fn told(status: ServingStatus, source: HealthSource, latency: Duration) -> Self {
        let state = match status {
            ServingStatus::Serving => HealthState::Serving,
            ServingStatus::NotServing => HealthState::NotServing,
            ServingStatus::ServiceUnknown => HealthState::ServiceUnknown,
            ServingStatus::Unknown => HealthState::Unknown,
        };
        Self { state, source, latency, failure: None }
    }

    pub(super) const fn serving(source: HealthSource, latency: Duration) -> Self {
        Self { state: HealthState::Serving, source, latency, failure: None }
    }

    /// What follows from a failure of this way to find out.
    pub(super) fn failed(failure: Failure, source: HealthSource, latency: Duration) -> Self {
        let source = match failure.kind {
            // It did not get as far as that.
            FailureKind::Connect | FailureKind::Tls => HealthSource::Connection,
            _ => source,
        };
        // There was no data whose fate could be unknown.
        let failure = Failure { outcome_unknown: false, ..failure };
        Self { state: state_after(failure.kind), source, latency, failure: Some(failure) }
    }
}

impl HealthState {
    /// The state as a metric attribute: a closed set of snake_case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::NotServing => "not_serving",
            Self::ServiceUnknown => "service_unknown",
            Self::Refused => "refused",
            Self::WrongEndpoint => "wrong_endpoint",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

impl HealthSource {
    /// The source as a metric attribute: a closed set of snake_case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Check => "check",
            Self::EmptyExport => "empty_export",
            Self::Connection => "connection",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {:?})", self.state.as_str(), self.source.as_str(), self.latency)?;
        if let Some(failure) = &self.failure {
            write!(f, ": {failure}")?;
        }
        Ok(())
    }
}

const fn state_after(kind: FailureKind) -> HealthState {
    match kind {
        FailureKind::Connect | FailureKind::Tls | FailureKind::Timeout | FailureKind::Reset => {
            HealthState::Unreachable
        }
        // It takes no more requests on this connection, or never takes any.
        FailureKind::Refused => HealthState::NotServing,
        FailureKind::Protocol => HealthState::WrongEndpoint,
        FailureKind::Status(code) => state_of_grpc(code),
        FailureKind::Http(status) => state_of_http(status),
        // Ours, or too much of an answer to make something of it.
        FailureKind::Credentials
        | FailureKind::ResponseTooLarge
        | FailureKind::RequestTooLarge
        | FailureKind::Io => HealthState::Unknown,
    }
}

const fn state_of_grpc(code: Code) -> HealthState {
    match code {
        // gRPC's word for a service that the health protocol does not know.
        Code::NotFound => HealthState::ServiceUnknown,
        Code::Unauthenticated | Code::PermissionDenied => HealthState::Refused,
        Code::Unimplemented => HealthState::WrongEndpoint,
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::Internal
        | Code::DataLoss => HealthState::NotServing,
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange => HealthState::Unknown,
    }
}

const fn state_of_http(status: u16) -> HealthState {
    match status {
        200..=299 => HealthState::Serving,
        401 | 403 | 407 => HealthState::Refused,
        300..=399 | 404 | 405 | 410 => HealthState::WrongEndpoint,
        408 | 429 | 500..=599 => HealthState::NotServing,
        _ => HealthState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards what follows from failures: who is down, who is only closed, who is someone else.
    #[test]
    fn failures_have_states() {
        for (kind, state, source) in [
            (FailureKind::Connect, HealthState::Unreachable, HealthSource::Connection),
            (FailureKind::Tls, HealthState::Unreachable, HealthSource::Connection),
            (FailureKind::Timeout, HealthState::Unreachable, HealthSource::Check),
            (FailureKind::Reset, HealthState::Unreachable, HealthSource::Check),
            (FailureKind::Refused, HealthState::NotServing, HealthSource::Check),
            (FailureKind::Protocol, HealthState::WrongEndpoint, HealthSource::Check),
            (FailureKind::Credentials, HealthState::Unknown, HealthSource::Check),
            (FailureKind::Status(Code::NotFound), HealthState::ServiceUnknown, HealthSource::Check),
            (FailureKind::Status(Code::PermissionDenied), HealthState::Refused, HealthSource::Check),
            (FailureKind::Status(Code::Unavailable), HealthState::NotServing, HealthSource::Check),
            (FailureKind::Status(Code::Internal), HealthState::NotServing, HealthSource::Check),
            (FailureKind::Status(Code::InvalidArgument), HealthState::Unknown, HealthSource::Check),
            (FailureKind::Http(404), HealthState::WrongEndpoint, HealthSource::Check),
        ] {
            let failure = Failure::with_unknown_outcome(kind, "why");
            let health = Health::failed(failure, HealthSource::Check, Duration::ZERO);
            assert_eq!((health.state, health.source), (state, source), "{kind:?}");
            let failure = health.failure.expect("kept");
            assert!(failure.message == "why" && !failure.outcome_unknown);
        }
    }

    /// Guards the whole range of HTTP statuses against the specification's words for them.
    #[test]
    fn http_statuses_have_states() {
        for (status, state) in [
            (200, HealthState::Serving),
            (202, HealthState::Serving),
            (301, HealthState::WrongEndpoint),
            (400, HealthState::Unknown),
            (401, HealthState::Refused),
            (403, HealthState::Refused),
            (404, HealthState::WrongEndpoint),
            (405, HealthState::WrongEndpoint),
            (415, HealthState::Unknown),
            (429, HealthState::NotServing),
            (500, HealthState::NotServing),
            (503, HealthState::NotServing),
            (599, HealthState::NotServing),
            (600, HealthState::Unknown),
            (100, HealthState::Unknown),
        ] {
            assert_eq!(state_of_http(status), state, "{status}");
        }
    }

    /// Guards what stands in a log.
    #[test]
    fn in_words() {
        let failure = Failure::new(FailureKind::Http(503), "closed");
        let health = Health::failed(failure, HealthSource::EmptyExport, Duration::from_millis(2));
        assert_eq!(health.to_string(), "not_serving (empty_export, 2ms): HTTP status 503: closed");
    }
}
