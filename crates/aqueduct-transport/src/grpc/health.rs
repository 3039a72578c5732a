//! What health checks do on the connections of a gRPC client: the calls of `grpc.health.v1`, and pings.

use std::time::Duration;

use aqueduct_wire::grpc::{PREFIX_LEN, Prefix, prefix};
use aqueduct_wire::rpc::health::{CHECK_PATH, ServingStatus, WATCH_PATH, decode_response, encode_request};
use aqueduct_wire::{Merger, Signal};
use http::header::HeaderMap;
use http::{StatusCode, Uri};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::Answer;
use super::peer::{GRPC_TIMEOUT, Peer, never_began};
use crate::client::Progress;
use crate::endpoint::Endpoint;
use crate::error::ConfigError;
use crate::failure::{Failure, FailureKind};
use crate::http2::{Call, HANDLES};
use crate::outcome::Outcome;
use crate::request::Request;

/// Largest message that is read: there is one small number in it.
const MAX_MESSAGE: usize = 1 << 10;

/// The URLs of the two calls.
#[derive(Debug)]
pub(super) struct Methods {
    check: Uri,
    watch: Uri,
}

impl Methods {
    pub(super) fn new(endpoint: &str, place: &Endpoint) -> Result<Self, ConfigError> {
        let uri = |path| place.below(endpoint, path).map(|method| method.uri());
        Ok(Self { check: uri(CHECK_PATH)?, watch: uri(WATCH_PATH)? })
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen<'a> {
    /// The empty name is the server as a whole.
    pub(crate) service: &'a str,
    /// Until when the first answer is waited for.
    pub(crate) deadline: Instant,
    /// How much time that was, for people.
    pub(crate) limit: Duration,
    /// `None` is a check: the call ends before the deadline. Otherwise it is a watch, which may say nothing new for this long.
    pub(crate) silence: Option<Duration>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The server has nothing more to say.
    Done,
    Failed(Failure),
    /// A watch that was silent for too long; the stream was reset.
    Silent,
}

/// What came of a ping.
#[derive(Debug)]
pub(crate) enum Pinged {
    Answered,
    Failed(Failure),
    /// Connections ended before they had an answer.
    Nothing,
}

impl Peer {
    /// Makes the call and tells each status that arrives.
    pub(crate) async fn listen(
        &self,
        call: &Listen<'_>,
        provided: Option<&HeaderMap>,
        heard: &mut (dyn FnMut(ServingStatus) + Send),
    ) -> Ended {
        let progress = Progress::default();
        let ended = self.listen_until(call, provided, &progress, heard).await;
        ended.unwrap_or_else(|_| Ended::of(&progress.timed_out(call.limit)))
    }

    async fn listen_until(
        &self,
        listen: &Listen<'_>,
        provided: Option<&HeaderMap>,
        progress: &Progress,
        heard: &mut (dyn FnMut(ServingStatus) + Send),
    ) -> Result<Ended, Elapsed> {
        // The message goes before the pieces of a request that has none.
        let nothing = Request::plain(&Merger::new(Signal::Traces).finish());
        let message = listen.message();
        let mut error = None;
        for _ in 0..HANDLES {
            let connection = match timeout_at(listen.deadline, self.connection()).await? {
                Ok(connection) => connection,
                Err(failure) => return Ok(Ended::Failed(failure)),
            };
            let head = self.head_to_listen(listen, provided);
            let open = timeout_at(listen.deadline, Call::open(&connection, head, &message, &nothing)).await?;
            match open {
                Ok(mut call) => {
                    progress.started(&connection.standing);
                    let ended = read(&mut call, listen, heard).await?;
                    connection.standing.learn(&ended.outcome());
                    return Ok(ended);
                }
                Err(ended) => {
                    connection.discard();
                    error = Some(ended);
                }
            }
        }
        Ok(Ended::Failed(never_began(error)))
    }

    fn head_to_listen(&self, listen: &Listen<'_>, provided: Option<&HeaderMap>) -> http::Request<()> {
        if listen.silence.is_none() {
            return self.head_of(&self.methods.check, provided);
        }
        let mut head = self.head_of(&self.methods.watch, provided);
        // A watch has no end that the server should know of.
        head.headers_mut().remove(GRPC_TIMEOUT);
        head
    }

    /// Whether there are pings on these connections.
    pub(crate) fn pings(&self) -> bool {
        self.pool.connector().settings.pings()
    }

    /// Pings the peer, on a connection that is opened if there is none.
    pub(crate) async fn ping(&self, deadline: Instant, limit: Duration) -> Pinged {
        let progress = Progress::default();
        let pinged = timeout_at(deadline, self.ping_connections(&progress)).await;
        pinged.unwrap_or_else(|_| match progress.timed_out(limit).failure() {
            Some(failure) => Pinged::Failed(failure.clone()),
            None => Pinged::Nothing,
        })
    }

    async fn ping_connections(&self, progress: &Progress) -> Pinged {
        for _ in 0..HANDLES {
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(failure) => return Pinged::Failed(failure),
            };
            progress.started(&connection.standing);
            if connection.ping().await {
                return Pinged::Answered;
            }
            connection.discard();
        }
        Pinged::Nothing
    }
}

impl Listen<'_> {
    /// The request, with its prefix.
    fn message(&self) -> Vec<u8> {
        let message = encode_request(self.service);
        // The length of the name was checked.
        let mut framed = prefix(u32::try_from(message.len()).unwrap_or(u32::MAX), false).to_vec();
        framed.extend_from_slice(&message);
        framed
    }
}

impl Ended {
    fn of(outcome: &Outcome) -> Self {
        outcome.failure().map_or(Self::Done, |failure| Self::Failed(failure.clone()))
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(failure) => Outcome::Permanent(failure.clone()),
            Self::Done | Self::Silent => Outcome::Delivered,
        }
    }
}

async fn read(
    call: &mut Call<'_>,
    listen: &Listen<'_>,
    heard: &mut (dyn FnMut(ServingStatus) + Send),
) -> Result<Ended, Elapsed> {
    let head = match timeout_at(listen.deadline, call.head()).await? {
        Ok(head) => head,
        Err(outcome) => return Ok(Ended::of(&outcome)),
    };
    if head.status != StatusCode::OK {
        // Its mapping to gRPC would make "no such method" of "no such page".
        let kind = FailureKind::Http(head.status.as_u16());
        return Ok(Ended::Failed(Failure::new(kind, "from something that is no gRPC server")));
    }
    let answer = Answer::new(head.status, head.headers, 0);
    if let Some(outcome) = answer.decided_by_head() {
        return Ok(Ended::of(&outcome));
    }
    let mut messages = Messages::default();
    let mut due = listen.deadline;
    let mut silence = None;
    loop {
        let data = match timeout_at(due, call.data()).await {
            Err(_) if silence.is_some() => return Ok(Ended::Silent),
            data => data?,
        };
        let data = match data {
            Ok(Some(data)) => data,
            Ok(None) => break,
            Err(outcome) => return Ok(Ended::of(&outcome)),
        };
        let mut rest = &data[..];
        loop {
            match messages.next(&mut rest) {
                Ok(Some(status)) => heard(status),
                Ok(None) => break,
                Err(reason) => return Ok(Ended::Failed(Failure::new(FailureKind::Protocol, reason))),
            }
            silence = listen.silence;
        }
        if let Some(silence) = silence {
            due = Instant::now() + silence;
        }
        // A server that never stops talking must not keep others from this thread.
        tokio::task::coop::consume_budget().await;
    }
    Ok(match timeout_at(due, call.trailers()).await? {
        Ok(trailers) => Ended::of(&answer.finish(trailers).0),
        Err(outcome) => Ended::of(&outcome),
    })
}

/// The messages of an answer while it arrives; holds at most one.
#[derive(Debug, Default)]
struct Messages {
    held: Vec<u8>,
}

impl Messages {
    /// The status of the next message, if there is all of it. Takes what it has read from the front of `data`.
    fn next(&mut self, data: &mut &[u8]) -> Result<Option<ServingStatus>, String> {
        self.fill(data, PREFIX_LEN);
        let Some(prefix) = self.held.first_chunk::<PREFIX_LEN>() else { return Ok(None) };
        let prefix = Prefix::parse(prefix).map_err(|error| error.to_string())?;
        if prefix.compressed {
            return Err("a health status that is compressed, which was not offered".to_owned());
        }
        let len = prefix.len as usize;
        if len > MAX_MESSAGE {
            return Err(format!("{len} bytes are no health status"));
        }
        self.fill(data, PREFIX_LEN + len);
        let Some(message) = self.held.get(PREFIX_LEN..PREFIX_LEN + len) else { return Ok(None) };
        let status = decode_response(message).map_err(|error| format!("no health status: {error}"))?;
        self.held.clear();
        Ok(Some(status))
    }

    fn fill(&mut self, data: &mut &[u8], upto: usize) {
        let missing = upto.saturating_sub(self.held.len()).min(data.len());
        let (taken, rest) = data.split_at(missing);
        self.held.extend_from_slice(taken);
        *data = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aqueduct_wire::rpc::health::encode_response;

    const ALL: [ServingStatus; 4] = [
        ServingStatus::Serving,
        ServingStatus::Unknown,
        ServingStatus::ServiceUnknown,
        ServingStatus::NotServing,
    ];

    fn framed(message: &[u8]) -> Vec<u8> {
        [&prefix(u32::try_from(message.len()).expect("short"), false)[..], message].concat()
    }

    /// Guards messages however the network cuts them, the empty one (UNKNOWN) included, and the bound on what is held.
    #[test]
    fn messages_in_pieces() {
        let bytes: Vec<u8> = ALL.iter().flat_map(|status| framed(&encode_response(*status))).collect();
        for size in 1..=bytes.len() {
            let mut messages = Messages::default();
            let mut heard = Vec::new();
            for mut piece in bytes.chunks(size) {
                while let Some(status) = messages.next(&mut piece).expect("good") {
                    heard.push(status);
                }
                assert!(piece.is_empty() && messages.held.len() < PREFIX_LEN + 3);
            }
            assert_eq!(heard, ALL, "pieces of {size}");
        }
    }

    /// Guards against what is no message: said so, before it is held.
    #[test]
    fn garbage() {
        let large = prefix(1 << 30, false);
        for (bytes, says) in [
            (&[7, 0, 0, 0, 0][..], "flag"),
            (&[1, 0, 0, 0, 1, 0], "compressed"),
            (&large, "1073741824"),
            (&[0, 0, 0, 0, 2, 255, 255], "no health status"),
        ] {
            let mut rest = bytes;
            let said = Messages::default().next(&mut rest).expect_err("garbage");
            assert!(said.contains(says), "{said}");
        }
    }
}
