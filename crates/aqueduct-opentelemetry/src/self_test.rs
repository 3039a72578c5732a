//! Asking each collector whether it would take telemetry, and saying in a sentence why not.

use std::fmt;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use aqueduct_transport::{Failure, FailureKind, Outcome, Protocol, Request};
use aqueduct_wire::rpc::Code;
use aqueduct_wire::{Chunk, Merged, Signal};
use bytes::Bytes;

use crate::aqueduct::Aqueduct;
use crate::outlet::Outlet;
use crate::telemetry::Peer;

/// What a self-test found; made by [`Aqueduct::self_test`]. `Display` makes a line of each signal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SelfTest {
    /// One entry for each signal that is exported by an OTLP client.
    pub checks: Vec<Check>,
}

/// What came of one signal's request without content.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Check {
    /// The signal.
    pub signal: Signal,
    /// Whom it was sent to: host and port.
    pub peer: String,
    /// How OTLP is spoken there.
    pub protocol: Protocol,
    /// What was found.
    pub finding: Finding,
    /// What the client says of it; empty if all is well.
    pub detail: String,
    /// How long it took.
    pub took: Duration,
}

/// What a self-test may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// The collector took the request.
    Reached,
    /// The collector is there and has too much to do.
    Busy,
    /// The host has no address.
    UnknownHost,
    /// Nobody listens at the port.
    Refused,
    /// No connection came about, for another reason.
    Unreachable,
    /// No answer came in time.
    NoAnswer,
    /// There is no TLS with the collector.
    Tls,
    /// The collector wants credentials, or others (401).
    Unauthenticated,
    /// The credentials do not allow it (403).
    Forbidden,
    /// The collector does not know the path or the method (404).
    NotFound,
    /// Whoever is there speaks something else.
    WrongProtocol,
    /// The collector does not take it, for another reason.
    Rejected,
    /// It was asked on the pipelines' own thread, which cannot wait for itself.
    NotAsked,
}

impl SelfTest {
    /// Whether every collector would take telemetry now.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.finding == Finding::Reached)
    }
}

impl Aqueduct {
    /// Sends each collector a request without content, for each signal that is exported, and explains what comes back. For the start of a program, and its page for operators.
    /// Signals whose destination is not an OTLP client are left out.
    ///
    /// Waits for at most this long, in all.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use aqueduct_opentelemetry::{Aqueduct, Finding};
    ///
    /// let telemetry = Aqueduct::builder().variables(|_| None).endpoint("http://127.0.0.1:1").build()?;
    /// let found = telemetry.self_test(Duration::from_secs(5));
    /// assert!(!found.is_good());
    /// assert_eq!(found.checks[0].finding, Finding::Refused);
    /// // traces to 127.0.0.1:1 over http/protobuf: nobody listens there; is the collector running, ...
    /// println!("{found}");
    /// # Ok::<(), aqueduct_opentelemetry::BuildError>(())
    /// ```
    pub fn self_test(&self, deadline: Duration) -> SelfTest {
        let start = Instant::now();
        // All at once, then one after the other.
        let asked: Vec<_> = self.inner.outlets.iter().filter_map(|outlet| ask(outlet, deadline)).collect();
        let checks = asked.into_iter().map(|asked| asked.check(start, deadline)).collect();
        SelfTest { checks }
    }
}

struct Asked<'a> {
    signal: Signal,
    peer: &'a Peer,
    /// `None` if nobody can be asked here.
    answer: Option<Receiver<(Outcome, Duration)>>,
}

fn ask(outlet: &Outlet, deadline: Duration) -> Option<Asked<'_>> {
    let (recipe, worker) = (outlet.recipe()?, outlet.worker()?);
    let (client, peer) = (recipe.client.as_ref()?, recipe.peer.as_ref()?);
    let signal = outlet.signal();
    if worker.is_current() {
        return Some(Asked { signal, peer, answer: None });
    }
    let (tell, answer) = mpsc::channel();
    let client = client.fresh();
    let exchange = async move {
        let start = Instant::now();
        let outcome = match client {
            Ok(client) => {
                let nothing = Merged::from_chunk(Chunk::from_valid(signal, 0, Bytes::new()));
                let request: Request = client.prepare(&nothing);
                let sent = tokio::time::timeout(deadline, client.send(&request)).await;
                sent.unwrap_or_else(|_| Outcome::Retry {
                    after: None,
                    failure: Failure::new(FailureKind::Timeout, ""),
                })
            }
            // What the settings refer to has changed since the start.
            Err(error) => Outcome::Permanent(Failure::new(FailureKind::Io, error.to_string())),
        };
        // Nobody may wait any more.
        let _ = tell.send((outcome, start.elapsed()));
    };
    // Without a thread nobody tells, which is seen at once.
    let _ = worker.spawn(exchange);
    Some(Asked { signal, peer, answer: Some(answer) })
}

impl Asked<'_> {
    fn check(self, start: Instant, deadline: Duration) -> Check {
        let left = deadline.saturating_sub(start.elapsed());
        let (finding, detail, took) = match self.answer.map(|answer| answer.recv_timeout(left)) {
            Some(Ok((outcome, took))) => {
                let detail = outcome.failure().map(ToString::to_string).unwrap_or_default();
                (finding(&outcome, self.peer.protocol), detail, took)
            }
            Some(Err(_)) => (Finding::NoAnswer, String::new(), start.elapsed()),
            None => (Finding::NotAsked, String::new(), Duration::ZERO),
        };
        let Peer { protocol, address, port } = self.peer;
        let peer = port.map_or_else(|| address.clone(), |port| format!("{address}:{port}"));
        Check { signal: self.signal, peer, protocol: *protocol, finding, detail, took }
    }
}

fn finding(outcome: &Outcome, protocol: Protocol) -> Finding {
    let Some(Failure { kind, message, .. }) = outcome.failure() else { return Finding::Reached };
    let says = |words: &str| message.to_ascii_lowercase().contains(words);
    match kind {
        FailureKind::Connect if says("lookup") || says("the name has no address") => Finding::UnknownHost,
        FailureKind::Connect if says("refused") => Finding::Refused,
        FailureKind::Connect => Finding::Unreachable,
        FailureKind::Tls if says("is this the port for grpc") => Finding::WrongProtocol,
        FailureKind::Tls => Finding::Tls,
        FailureKind::Timeout => Finding::NoAnswer,
        FailureKind::Http(401) | FailureKind::Status(Code::Unauthenticated) => Finding::Unauthenticated,
        FailureKind::Http(403) | FailureKind::Status(Code::PermissionDenied) => Finding::Forbidden,
        FailureKind::Http(404) => Finding::NotFound,
        FailureKind::Status(Code::Unimplemented) if says("no grpc server") => Finding::WrongProtocol,
        FailureKind::Status(Code::Unimplemented) => Finding::NotFound,
        // A status of HTTP, and no gRPC: the reader of gRPC says so.
        FailureKind::Status(_) if says("no grpc server") => Finding::WrongProtocol,
        FailureKind::Protocol => Finding::WrongProtocol,
        // What a server of HTTP/2 does with a request of HTTP/1.1, and the other way round.
        FailureKind::Reset | FailureKind::Refused | FailureKind::Http(400 | 415 | 505) => {
            Finding::WrongProtocol
        }
        _ if matches!(outcome, Outcome::Retry { .. }) => Finding::Busy,
        FailureKind::Http(405) if protocol != Protocol::Grpc => Finding::NotFound,
        _ => Finding::Rejected,
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.checks.is_empty() {
            return f.write_str("no signal is exported by an OTLP client");
        }
        for (index, check) in self.checks.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{check}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, peer, protocol, finding, detail, took } = self;
        write!(f, "{signal} to {peer} over {}: ", protocol.as_str())?;
        let grpc = *protocol == Protocol::Grpc;
        match finding {
            Finding::Reached => write!(f, "the collector takes them ({:.0} ms)", took.as_secs_f64() * 1e3)?,
            Finding::Busy => f.write_str("the collector is there and asks to try again later")?,
            Finding::UnknownHost => f.write_str("the host has no address; is its name right, and known here?")?,
            Finding::Refused => f.write_str("nobody listens there; is the collector running, and at this port?")?,
            Finding::Unreachable => f.write_str("no connection; is there a firewall or a proxy in between?")?,
            Finding::NoAnswer => {
                write!(f, "no answer within {:.1} s; is this host the collector?", took.as_secs_f64())?;
            }
            Finding::Tls => f.write_str(
                "there is no TLS with it; is it http:// rather than https://, or a certificate that is not trusted?",
            )?,
            Finding::Unauthenticated => {
                f.write_str("the collector wants credentials; are they in OTEL_EXPORTER_OTLP_HEADERS, and right?")?;
            }
            Finding::Forbidden => f.write_str("the credentials do not allow it; are they those for this signal?")?,
            Finding::NotFound if grpc => {
                f.write_str("the server does not know OTLP; is a receiver for this signal switched on there?")?;
            }
            Finding::NotFound => {
                f.write_str("the server does not know the path; is there something missing before v1/, or is v1/ there twice?")?;
            }
            Finding::WrongProtocol if grpc => {
                f.write_str("it does not speak gRPC; is this the port for HTTP, which usually is 4318 (4317 is gRPC's)?")?;
            }
            Finding::WrongProtocol => {
                f.write_str("it does not speak OTLP/HTTP; is this the port for gRPC, which usually is 4317 (4318 is HTTP's)?")?;
            }
            Finding::Rejected => f.write_str("the collector does not take it")?,
            Finding::NotAsked => f.write_str("not asked, on the pipelines' own thread")?,
        }
        if detail.is_empty() { Ok(()) } else { write!(f, " [{detail}]") }
    }
}
