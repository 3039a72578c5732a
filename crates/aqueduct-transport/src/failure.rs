//! What went wrong with one attempt.

use std::error::Error;
use std::fmt;

use aqueduct_wire::rpc::Code;

/// The cause of a failed attempt, as far as a program needs to tell causes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection came about: name lookup, refusal, no route, connect time-out, no HTTP/2 at the other end, a proxy
    /// that lets nobody through.
    Connect,
    /// There is a peer, and no TLS with it: a certificate that one side does not accept, no version or protocol in common,
    /// plain text where there should be TLS or the other way round.
    Tls,
    /// The [`HeaderProvider`](crate::HeaderProvider) gave no headers to send with.
    Credentials,
    /// The attempt's time ran out before the answer was complete.
    Timeout,
    /// The connection or the stream ended before the answer was complete.
    Reset,
    /// The peer said that it did not touch this request: a stream refused, or a connection it is closing (GOAWAY).
    Refused,
    /// The peer answered with this gRPC status.
    Status(Code),
    /// The peer answered with this HTTP status.
    Http(u16),
    /// What came back is not the protocol: no gRPC, no status, an HTML page.
    Protocol,
    /// The answer is larger than [`ClientConfig::max_response_bytes`](crate::ClientConfig::max_response_bytes).
    ResponseTooLarge,
    /// The request is larger than [`ClientConfig::max_request_bytes`](crate::ClientConfig::max_request_bytes) and was
    /// not sent.
    RequestTooLarge,
    /// Something other than the network: what an exporter that writes files meets.
    Io,
}

impl FailureKind {
    /// The kind as a metric attribute: a closed set of snake_case words, without the status numbers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Status(_) => "grpc_status",
            Self::Http(_) => "http_status",
            Self::Protocol => "protocol",
            Self::ResponseTooLarge => "response_too_large",
            Self::RequestTooLarge => "request_too_large",
            Self::Io => "io",
        }
    }
}

/// A failed attempt: its cause as a fact, and as a sentence for people.
///
/// The message may quote the peer, shortened to [`Failure::MAX_MESSAGE`] bytes and with control characters replaced,
/// so it can go to a log as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The cause.
    pub kind: FailureKind,
    /// The cause in words; a lower-case fragment.
    pub message: String,
    /// Whether the peer may have taken the data although the attempt failed: a retry may duplicate it, giving up may
    /// count delivered data as lost.
    pub outcome_unknown: bool,
}

impl Failure {
    /// Longest message kept, in bytes. Peers have answered with whole HTML pages.
    pub const MAX_MESSAGE: usize = 512;

    /// A failure of which it is certain that the peer did not take the data.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: tidy(message.as_ref()), outcome_unknown: false }
    }

    /// A failure after which nobody knows whether the peer took the data.
    #[must_use]
    pub fn with_unknown_outcome(kind: FailureKind, message: impl AsRef<str>) -> Self {
        Self { outcome_unknown: true, ..Self::new(kind, message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Status(code) => write!(f, "status {}", code.as_str())?,
            FailureKind::Http(status) => write!(f, "HTTP status {status}")?,
            FailureKind::Connect => f.write_str("no connection")?,
            FailureKind::Tls => f.write_str("no TLS session")?,
            FailureKind::Credentials => f.write_str("no headers to send with")?,
            FailureKind::Timeout => f.write_str("timed out")?,
            FailureKind::Reset => f.write_str("connection lost")?,
            FailureKind::Refused => f.write_str("request refused unread")?,
            FailureKind::Protocol => f.write_str("not the protocol")?,
            FailureKind::ResponseTooLarge => f.write_str("response too large")?,
            FailureKind::RequestTooLarge => f.write_str("request too large")?,
            FailureKind::Io => f.write_str("input or output failed")?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl Error for Failure {}

/// Shortens what a peer said and makes it harmless to a terminal and to a line-based log.
pub(crate) fn tidy(message: &str) -> String {
    let mut tidy = String::with_capacity(message.len().min(Failure::MAX_MESSAGE));
    for c in message.trim().chars() {
        if tidy.len() + c.len_utf8() > Failure::MAX_MESSAGE {
            break;
        }
        tidy.push(if c.is_control() { ' ' } else { c });
    }
    tidy
}
