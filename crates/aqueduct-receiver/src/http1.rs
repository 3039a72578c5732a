//! One HTTP/1.1 connection: OTLP/HTTP through hyper.

use crate::accept::{Answer, Incoming, Protocol, Reply};
use crate::config::LEAST_PROGRESS;
use crate::head::{Asked, Format, Head, Speaks, Style};
use crate::held::{Gather, Held, too_large};
use crate::http;
use crate::io::{Link, Socket};
use crate::judge::{Body, admit};
use crate::refusal::Refusal;
use crate::said::{Said, offer, panicked, settle, share};
use crate::server::{Shared, content_length};
use crate::shutdown::Shutdown;
use crate::stats::{RefuseReason, Tally};
use ::http::header::CONNECTION;
use ::http::{HeaderValue, Request, Response};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// How much is read at a time at most.
const READ_BUFFER: usize = 256 * 1024;
/// Reading this much for nothing is cheaper than a new connection.
const DISCARDED: usize = 64 * 1024;
/// Enough for what proxies and tracing add; hyper's own default.
const MAX_HEADERS: usize = 100;

/// Serves the connection until it ends.
pub(crate) async fn serve(shared: Arc<Shared>, socket: Socket, peer: SocketAddr, mut shutdown: Shutdown) {
    let link = socket.link();
    let phase = Arc::new(Phase::new());
    let exchange =
        Arc::new(Exchange { shared: shared.clone(), peer, link: link.clone(), phase: phase.clone() });
    let connection = http1::Builder::new()
        // A client that has closed its side still gets its answers.
        .half_close(true)
        .max_buf_size(READ_BUFFER)
        .max_headers(MAX_HEADERS)
        .max_header_size(shared.config.max_header_list_bytes as usize)
        // The watch below does this without a timer for each request.
        .header_read_timeout(None)
        .serve_connection(
            TokioIo::new(socket),
            service_fn(move |request| {
                let exchange = exchange.clone();
                async move { exchange.run(request).await }
            }),
        );
    let mut connection = pin!(connection);
    let mut stop = pin!(shutdown.requested());
    let mut stopping = false;
    let mut head_seen = None;
    let mut timer = pin!(sleep_until(phase.deadline(&shared, &link, &mut head_seen)));
    let result = poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        while timer.as_mut().poll(cx).is_ready() {
            let deadline = phase.deadline(&shared, &link, &mut head_seen);
            if deadline <= Instant::now() {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
    match result {
        Some(Err(error)) if error.is_parse_too_large() => shared.stats.refuse(RefuseReason::HeaderTooLarge),
        Some(Err(error)) if error.is_parse() => shared.stats.refuse(RefuseReason::Protocol),
        None if phase.is_in_head(&link) => shared.stats.refuse(RefuseReason::Timeout),
        _ => {}
    }
}

/// There has been a request.
const SEEN: u64 = 2;
/// A request is in progress.
const BUSY: u64 = 1;

/// What the connection is doing, for its timer.
///
/// One word, written by the service and read by the timer, both on the connection's task: 0 until the first request, then milliseconds
/// since `born` above two bits, [`SEEN`] and [`BUSY`].
#[derive(Debug)]
struct Phase {
    born: Instant,
    word: AtomicU64,
    /// How much had been read when the last request was answered.
    read: AtomicU64,
}

impl Phase {
    fn new() -> Phase {
        Phase { born: Instant::now(), word: AtomicU64::new(0), read: AtomicU64::new(0) }
    }

    fn set(&self, busy: bool, link: &Link) {
        let now = self.born.elapsed().as_millis() as u64;
        self.word.store(now << 2 | SEEN | u64::from(busy), Ordering::Relaxed);
        self.read.store(link.bytes_read(), Ordering::Relaxed);
    }

    /// Whether a part of a request's head has come; the first one is waited for from the start.
    fn is_in_head(&self, link: &Link) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & BUSY == 0 && (word == 0 || link.bytes_read() != self.read.load(Ordering::Relaxed))
    }

    /// When the connection has been in its phase for too long, as far as is known now. `head_seen` is when the timer first saw
    /// a later head begin.
    fn deadline(&self, shared: &Shared, link: &Link, head_seen: &mut Option<Instant>) -> Instant {
        let config = &shared.config;
        let now = Instant::now();
        let word = self.word.load(Ordering::Relaxed);
        if word == 0 {
            // Looks again in time to see an idle connection after a first request that came at once.
            return (self.born + config.header_timeout).min(now + config.idle_timeout);
        }
        if self.is_in_head(link) {
            return *head_seen.get_or_insert(now) + config.header_timeout;
        }
        *head_seen = None;
        // Looks again in time to see that a head has begun, or that a request has ended.
        let next = now + config.header_timeout.min(config.idle_timeout);
        if word & BUSY != 0 {
            // The service watches over bodies; the handler takes what time it takes.
            return next;
        }
        next.min(self.born + Duration::from_millis(word >> 2) + config.idle_timeout)
    }
}

/// What the requests of a connection share.
#[derive(Debug)]
struct Exchange {
    shared: Arc<Shared>,
    peer: SocketAddr,
    link: Arc<Link>,
    phase: Arc<Phase>,
}

/// Closes the connection without an answer.
#[derive(Debug)]
struct Hangup;

impl fmt::Display for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler hung up")
    }
}

impl std::error::Error for Hangup {}

impl Exchange {
    async fn run(&self, request: Request<hyper::body::Incoming>) -> Result<Response<Whole>, Hangup> {
        self.phase.set(true, &self.link);
        let unfinished = Unfinished(&self.shared);
        let mut tally = Tally::new(self.shared.stats.clone());
        let (parts, body) = request.into_parts();
        let format = Head::read(&parts.method, parts.uri.path(), &parts.headers, Speaks::Http);
        let (said, format, signal) = match format {
            Ok(head) => {
                let Asked::Export(signal) = head.asked else { return Err(Hangup) };
                let announced = content_length(&parts.headers);
                let said = self.export(head, signal, announced, body, &mut tally).await;
                let Style::Http(format) = head.style else { return Err(Hangup) };
                (said, format, Some(signal))
            }
            Err((style, refusal)) => {
                let format = if let Style::Http(format) = style { format } else { Format::Protobuf };
                let unread = !self.discard(content_length(&parts.headers), body).await;
                (Err((refusal, unread)), format, None)
            }
        };
        let (said, unread) = match said {
            Ok(said) => (said, false),
            Err((refusal, unread)) => {
                tally.refuse(refusal.reason);
                (refusal.into(), unread)
            }
        };
        drop(tally);
        std::mem::forget(unfinished);
        self.phase.set(false, &self.link);
        let mut response = http::response(said, format, signal).ok_or(Hangup)?.map(Whole::new);
        if unread {
            self.link.linger();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// A refusal says whether the client may still be sending.
    async fn export(
        &self,
        head: Head,
        signal: Signal,
        announced: Option<usize>,
        body: hyper::body::Incoming,
        tally: &mut Tally,
    ) -> Result<Said, (Refusal, bool)> {
        let config = &self.shared.config;
        if announced.is_some_and(|length| length > config.max_request_bytes) {
            return Err((too_large(config.max_request_bytes), true));
        }
        let held = Held::new(&self.shared.budget, config.retry_after);
        let gather = self
            .collect(head, announced, body, Gather::new(held))
            .await
            .map_err(|refusal| (refusal, true))?;
        let (bytes, held) = gather.finish();
        let wire_bytes = bytes.len();
        let body = Body { head, bytes, held };
        let (chunk, held) = self.judge(body, signal).await.map_err(|refusal| (refusal, false))?;
        let share = share(&chunk, wire_bytes);
        if chunk.is_empty() {
            return Ok(settle(tally, signal, share, Answer::Accepted));
        }
        let protocol = match head.style {
            Style::Http(Format::Json) => Protocol::HttpJson,
            _ => Protocol::HttpProtobuf,
        };
        let incoming = Incoming { chunk, peer: self.peer, protocol, wire_bytes };
        let reply = offer(&*self.shared.handler, incoming);
        drop(held);
        let answer = match reply.map_err(|refusal| (refusal, false))? {
            Reply::Now(answer) => answer,
            Reply::Later(mut future) => {
                poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(poll) => poll.map(Ok),
                    Err(_) => Poll::Ready(Err((panicked(), false))),
                })
                .await?
            }
        };
        Ok(settle(tally, signal, share, answer))
    }

    async fn collect(
        &self,
        head: Head,
        announced: Option<usize>,
        mut body: hyper::body::Incoming,
        mut gather: Gather,
    ) -> Result<Gather, Refusal> {
        let config = &self.shared.config;
        let mut deadline = None;
        let mut progress = 0;
        loop {
            let mut next = pin!(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
            // Most bodies are there already, so that the clock need not be asked.
            let ready = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
            let frame = match ready {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let end = *deadline.get_or_insert_with(|| Instant::now() + config.body_timeout);
                    match timeout_at(end, next).await {
                        Ok(frame) => frame,
                        Err(_) if gather.bytes().len() - progress >= LEAST_PROGRESS => {
                            progress = gather.bytes().len();
                            deadline = None;
                            continue;
                        }
                        Err(_) => {
                            return Err(Refusal::new(RefuseReason::Timeout, "the body came too slowly"));
                        }
                    }
                }
            };
            match frame {
                None => return Ok(gather),
                Some(Ok(frame)) => {
                    // Trailers carry nothing for us.
                    let Ok(piece) = frame.into_data() else { continue };
                    admit(head.style, gather.bytes(), &piece, config.max_request_bytes)?;
                    gather.push(piece, announced)?;
                }
                Some(Err(_)) => {
                    return Err(Refusal::new(RefuseReason::Disconnected, "the body broke off"));
                }
            }
        }
    }

    /// Reads a small body that nobody wants, so that the connection can go on. Returns whether that is done.
    async fn discard(&self, announced: Option<usize>, mut body: hyper::body::Incoming) -> bool {
        if body.is_end_stream() {
            return true;
        }
        if announced.is_none_or(|length| length > DISCARDED) {
            return false;
        }
        let reading = async {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                if frame.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(self.shared.config.header_timeout, reading).await.unwrap_or(false)
    }

    async fn judge(&self, body: Body, signal: Signal) -> Result<(Chunk, Held), Refusal> {
        if !body.takes_long(&self.shared.config) {
            return body.judge(signal, &self.shared.config);
        }
        let shared = self.shared.clone();
        self.shared.offload.start(move || body.judge(signal, &shared.config)).await
    }
}

/// Counts a request that is dropped before it has an answer, because its client has gone.
struct Unfinished<'a>(&'a Shared);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.stats.refuse(RefuseReason::Disconnected);
    }
}

/// A body that is there.
#[derive(Debug)]
struct Whole(Option<Bytes>);

impl Whole {
    fn new(bytes: Bytes) -> Whole {
        Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
