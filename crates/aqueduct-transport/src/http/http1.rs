//! One HTTP/1.1 connection, and one request on it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderValue};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{failed_by_head, outcome};
use super::gather::Gather;
use crate::body::Pieces;
use crate::client::Progress;
use crate::connect::{Dial, Standing, Stream, refusal};
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::status::Counters;

/// How long a connection may take to become ready after its last answer was read to the end: a turn of its task, unless
/// something is wrong with it.
const SETTLE: Duration = Duration::from_millis(50);

/// How long to wait for the end of a connection's task, once it takes no more requests.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection on which one request at a time is sent. A task of the runtime that opened it drives it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Taken out for a request, and put back after the end of its answer. If that never comes, because the send was
    /// given up or failed, it is dropped, and the connection ends.
    sender: Mutex<Option<SendRequest<Pieces>>>,
    pub(super) standing: Standing,
    /// Set by the connection's task at its end, if the peer has refused to go on.
    ended: watch::Receiver<Option<Failure>>,
}

/// What a request needs beside itself.
pub(super) struct Exchange<'a> {
    /// With the path as URI, and all headers.
    pub(super) head: http::Request<()>,
    pub(super) request: &'a Request,
    pub(super) progress: &'a Progress,
    pub(super) max_response_bytes: usize,
    /// Whether the connection was used before, so that the peer may have closed it.
    pub(super) reused: bool,
}

impl Connection {
    pub(super) async fn open(
        dial: &Dial,
        stream: Stream,
        max_header_bytes: usize,
        counters: &Arc<Counters>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let standing = dial.standing(&stream);
        let handshake = Builder::new().max_header_size(max_header_bytes).handshake(TokioIo::new(stream));
        let (sender, connection) = match timeout_at(deadline, handshake).await {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => return Err(dial.failure(&error.to_string())),
            Err(_) => return Err(dial.failure("timed out")),
        };
        let up = counters.connected();
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move {
            // Whoever waits for an answer on it is told the same error, but not who comes after it.
            let error = connection.await.err();
            end.send_replace(error.as_ref().and_then(refused));
            drop(up);
        });
        Ok(Self { sender: Mutex::new(Some(sender)), standing, ended })
    }

    /// Of a connection that was ended, the failure behind that, if the peer did not even begin to look at a request.
    pub(super) async fn refused(&self) -> Option<Failure> {
        let mut ended = self.ended.clone();
        // Its task ends at once, unless it still has something to say to a peer that does not listen.
        let waited = timeout(FAREWELL, ended.wait_for(Option::is_some)).await;
        waited.ok()?.ok().and_then(|failure| failure.clone())
    }

    pub(super) fn is_usable(&self) -> bool {
        self.sender().as_ref().is_some_and(|sender| !sender.is_closed()) && self.standing.is_good()
    }

    /// One request. `None` if the connection had ended before the server can have seen the whole request, so that the
    /// same may be done again elsewhere.
    pub(super) async fn exchange(&self, exchange: Exchange<'_>) -> Option<(Outcome, Option<String>)> {
        let Exchange { head, request, progress, max_response_bytes, reused } = exchange;
        let mut sender = self.sender().take()?;
        // Ready at once, or as soon as the connection's task has seen the end of the last answer.
        if reused && !matches!(timeout(SETTLE, sender.ready()).await, Ok(Ok(()))) {
            return None;
        }
        let taken = Arc::new(AtomicBool::new(false));
        let body = Pieces::new(request.shared_pieces(), request.len(), taken.clone());
        let mut head = head.map(|()| body);
        if request.is_empty() {
            // hyper leaves the length of an empty body out, and some servers refuse a POST without one (411).
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        progress.started(&self.standing);
        let response = match sender.try_send_request(head).await {
            Ok(response) => response,
            Err(mut error) => {
                if let Some(failure) = refused(error.error()) {
                    return Some((Outcome::retry(failure), None));
                }
                let unsent = error.take_message().is_some();
                let incomplete = !taken.load(Ordering::Relaxed);
                if unsent || (reused && incomplete) {
                    return None;
                }
                return Some((lost(error.error(), incomplete), None));
            }
        };
        let (head, body) = response.into_parts();
        if let Some(verdict) = failed_by_head(head.status, &head.headers) {
            // Set once per attempt: an answer with a head is never tried again on another connection.
            let _ = progress.verdict.set(verdict);
        }
        let mut gather = Gather::new(max_response_bytes);
        Some(match read(body, &mut gather).await {
            Ok(()) => {
                // After an early answer the rest of the request may never be read.
                if taken.load(Ordering::Relaxed) {
                    *self.sender() = Some(sender);
                }
                outcome(head.status, &head.headers, &gather.finish())
            }
            Err(Unread::TooLarge(outcome)) => (outcome, None),
            Err(Unread::Lost(error)) => {
                (failed_by_head(head.status, &head.headers).unwrap_or_else(|| lost(&error, false)), None)
            }
        })
    }

    fn sender(&self) -> MutexGuard<'_, Option<SendRequest<Pieces>>> {
        // Nothing that can panic runs under it.
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Unread {
    TooLarge(Outcome),
    Lost(hyper::Error),
}

async fn read(mut body: Incoming, gather: &mut Gather) -> Result<(), Unread> {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(Unread::Lost)?.into_data() {
            gather.push(data).map_err(Unread::TooLarge)?;
        }
    }
    Ok(())
}

/// The failure behind this error, if the peer did not even begin to look at the request.
fn refused(error: &hyper::Error) -> Option<Failure> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        match error.downcast_ref::<std::io::Error>() {
            Some(io) => return refusal(io),
            None => source = error.source(),
        }
    }
    None
}

/// The outcome of a request whose connection failed. `incomplete`: the server cannot have seen all of it.
fn lost(error: &hyper::Error, incomplete: bool) -> Outcome {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    if error.is_parse_too_large() {
        return Outcome::Permanent(Failure::with_unknown_outcome(FailureKind::ResponseTooLarge, message));
    }
    let kind = if error.is_parse() { FailureKind::Protocol } else { FailureKind::Reset };
    Outcome::retry(Failure { outcome_unknown: !incomplete, ..Failure::new(kind, message) })
}
