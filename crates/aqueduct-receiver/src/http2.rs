//! One HTTP/2 connection: gRPC, and on the HTTP door OTLP/HTTP.
//!
//! One task does everything: it takes every request that has arrived, reads the bodies, calls the handler
//! and queues the answers, and only then lets h2 write, so the answers to a burst leave in one system call. No task
//! is spawned for a request. Only what is not ready is kept: bodies that are still arriving (`reading`) and answers or
//! validations that take longer (`tasks`).

mod clock;
mod stream;
mod task;

use self::clock::Keepalive;
use self::stream::{Caller, Read, Stream, say};
use self::task::{Task, Work, Worked};
use crate::accept::{Answer, Incoming, Protocol, Reply};
use crate::head::{Asked, Format, Head, Speaks, Style};
use crate::held::{Gather, Held, too_large};
use crate::io::{Link, Socket};
use crate::judge::Body;
use crate::refusal::Refusal;
use crate::said::{Said, offer, settle, share};
use crate::server::{Shared, content_length};
use crate::shutdown::Shutdown;
use crate::stats::{RefuseReason, Tally};
use crate::tasks::Tasks;
use ::http::{Method, Request};
use aqueduct_wire::rpc::health::ServingStatus;
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// Serves the connection until it ends.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    socket: Socket,
    peer: SocketAddr,
    speaks: Speaks,
    mut shutdown: Shutdown,
) {
    let config = &shared.config;
    let link = socket.link();
    link.hold_end();
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_frame_size(config.max_frame_bytes)
        .max_header_list_size(config.max_header_list_bytes)
        .max_concurrent_streams(config.max_streams_per_connection)
        // A refused upload goes on for a while: the frames of every stream that may be refused at one time
        // are to be ignored rather than to be an error of the connection.
        .max_concurrent_reset_streams(2 * config.max_streams_per_connection as usize)
        .reset_stream_duration(Duration::from_secs(5))
        // The limits against floods of resets (CVE-2023-44487 and its kin), spelled out.
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(Some(1024))
        .max_send_buffer_size(64 * 1024);
    let connection = match timeout(config.header_timeout, builder.handshake(socket)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(_)) => return shared.stats.refuse(RefuseReason::Protocol),
        Err(_) => return shared.stats.refuse(RefuseReason::Timeout),
    };
    let now = Instant::now();
    let mut signals = Tasks::new();
    let requested: Signalled = Box::pin(async move { shutdown.requested().await });
    signals.push(requested);
    let mut driver = Driver {
        tally: Tally::new(shared.stats.clone()),
        keepalive: Keepalive { pings: None, heard: now, read: 0, asked: None },
        shared,
        peer,
        speaks,
        connection,
        link,
        fresh: Vec::new(),
        reading: Vec::new(),
        tasks: Tasks::new(),
        signals,
        timer: Box::pin(sleep_until(now)),
        now,
        quiet_since: now,
        closing: false,
    };
    driver.keepalive.pings = driver.connection.ping_pong();
    poll_fn(|cx| driver.poll(cx)).await;
}

type Signalled = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Driver {
    shared: Arc<Shared>,
    peer: SocketAddr,
    speaks: Speaks,
    connection: Connection<Socket, Bytes>,
    link: Arc<Link>,
    /// Requests that came in this turn.
    fresh: Vec<Stream>,
    /// Requests whose body has not come whole.
    reading: Vec<Stream>,
    /// Requests that wait for a validation or for the handler.
    tasks: Tasks<Task>,
    /// The signal to shut down.
    signals: Tasks<Signalled>,
    tally: Tally,
    keepalive: Keepalive,
    timer: Pin<Box<Sleep>>,
    /// When this turn began.
    now: Instant,
    /// When there was last a request in progress.
    quiet_since: Instant,
    /// A GOAWAY is on its way.
    closing: bool,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.now = Instant::now();
        if self.signals.poll_next(cx).is_ready() {
            self.close();
        }
        loop {
            loop {
                match self.connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                    Poll::Ready(Some(Err(error))) => {
                        self.lost(&error);
                        return Poll::Ready(());
                    }
                    Poll::Ready(None) => {
                        self.abandon();
                        return Poll::Ready(());
                    }
                    Poll::Pending => break,
                }
            }
            let mut progress = self.read_fresh(cx);
            progress |= self.read_more(cx);
            progress |= self.work(cx);
            progress |= self.end_of_input();
            self.tally.publish();
            // After its turn the task returns even if there is more: it has been woken already.
            let over = self.link.take_turn_over();
            if progress && !over {
                continue;
            }
            self.listen();
            match self.check_time(cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        self.quiet_since = self.now;
        let (parts, body) = request.into_parts();
        let limit = self.shared.config.max_request_bytes;
        let head = Head::read(&parts.method, parts.uri.path(), &parts.headers, self.speaks);
        let head = head.and_then(|head| match content_length(&parts.headers) {
            // A gRPC message says its own length.
            Some(length) if length > limit && head.style != Style::Grpc => {
                Err((head.style, too_large(limit)))
            }
            _ => Ok(head),
        });
        match head {
            Ok(head) => self.fresh.push(Stream {
                head,
                body,
                respond,
                gather: Gather::new(Held::new(&self.shared.budget, self.shared.config.retry_after)),
                progress: 0,
                deadline: self.now + self.shared.config.body_timeout,
            }),
            Err((style, refusal)) => {
                if !body.is_end_stream() {
                    self.link.linger();
                }
                self.tally.refuse(refusal.reason);
                let with_body = parts.method != Method::HEAD;
                say(&mut respond, style, None, refusal.into(), with_body);
            }
        }
    }

    fn read_fresh(&mut self, cx: &mut Context<'_>) -> bool {
        let progress = !self.fresh.is_empty();
        let mut fresh = std::mem::take(&mut self.fresh);
        for mut stream in fresh.drain(..) {
            match stream.read(cx, self.shared.config.max_request_bytes) {
                Read::Partly(_) => {
                    if stream.deadline < self.timer.deadline() {
                        self.timer.as_mut().reset(stream.deadline);
                    }
                    self.reading.push(stream);
                }
                read => self.finish(stream, read),
            }
        }
        self.fresh = fresh;
        progress
    }

    fn read_more(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        let mut index = 0;
        while let Some(stream) = self.reading.get_mut(index) {
            match stream.read(cx, self.shared.config.max_request_bytes) {
                Read::Partly(more) => {
                    progress |= more;
                    index += 1;
                }
                read => {
                    progress = true;
                    let stream = self.reading.swap_remove(index);
                    self.finish(stream, read);
                }
            }
        }
        progress
    }

    /// The body is there, or will never be.
    fn finish(&mut self, stream: Stream, read: Read) {
        let Stream { head, body, mut respond, gather, .. } = stream;
        match read {
            Read::Whole => {}
            Read::Refused(refusal) => return self.refuse_unread(head.style, respond, refusal),
            Read::Gone | Read::Partly(_) => return self.tally.refuse(RefuseReason::Disconnected),
        }
        // Gives the connection's window back before anything else takes time.
        drop(body);
        let (bytes, held) = gather.finish();
        let body = Body { head, bytes, held };
        match head.asked {
            Asked::Export(signal) => self.judge(body, signal, respond),
            Asked::Health => {
                let said = match body.health_service(self.shared.config.max_request_bytes) {
                    Ok(service) => self.shared.health(&service),
                    Err(refusal) => Err(refusal),
                };
                let said = said.map_or_else(
                    |refusal| {
                        self.tally.refuse(refusal.reason);
                        Said::from(refusal)
                    },
                    |serving| {
                        Said::Health(if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
                    },
                );
                say(&mut respond, head.style, None, said, true);
            }
        }
    }

    /// Refuses a request whose body the client may still be sending.
    fn refuse_unread(&mut self, style: Style, mut respond: SendResponse<Bytes>, refusal: Refusal) {
        self.link.linger();
        self.tally.refuse(refusal.reason);
        say(&mut respond, style, None, refusal.into(), true);
    }

    fn judge(&mut self, body: Body, signal: Signal, respond: SendResponse<Bytes>) {
        let wire_bytes = body.bytes.len();
        let caller = Caller { respond, style: body.head.style, signal };
        if !body.takes_long(&self.shared.config) {
            let verdict = body.judge(signal, &self.shared.config);
            return self.judged(caller, verdict, wire_bytes);
        }
        let shared = self.shared.clone();
        let judging = self.shared.offload.start(move || body.judge(signal, &shared.config));
        self.tasks.push(Task { caller: Some(caller), work: Work::Judge { judging, wire_bytes } });
    }

    fn judged(&mut self, mut caller: Caller, verdict: Result<(Chunk, Held), Refusal>, wire_bytes: usize) {
        let offered = verdict.and_then(|(chunk, held)| {
            let share = share(&chunk, wire_bytes);
            if chunk.is_empty() {
                return Ok((Reply::Now(Answer::Accepted), share));
            }
            let protocol = match caller.style {
                Style::Grpc => Protocol::Grpc,
                Style::Http(Format::Protobuf) => Protocol::HttpProtobuf,
                Style::Http(Format::Json) => Protocol::HttpJson,
            };
            let incoming = Incoming { chunk, peer: self.peer, protocol, wire_bytes };
            let reply = offer(&*self.shared.handler, incoming);
            drop(held);
            Ok((reply?, share))
        });
        match offered {
            Ok((Reply::Now(answer), share)) => {
                let said = settle(&mut self.tally, caller.signal, share, answer);
                caller.say(said);
            }
            Ok((Reply::Later(future), share)) => {
                self.forget_resets();
                self.tasks.push(Task { caller: Some(caller), work: Work::Answer { future, share } });
            }
            Err(refusal) => {
                self.tally.refuse(refusal.reason);
                caller.say(refusal.into());
            }
        }
    }

    /// Streams that the client has reset do not count against its limit of streams, but what we still do for them
    /// takes memory. At most as many as may be open are kept.
    fn forget_resets(&mut self) {
        if self.tasks.len() < 2 * self.shared.config.max_streams_per_connection as usize {
            return;
        }
        let tally = &self.tally;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        self.tasks.retain(|task| {
            let open = task.caller.as_mut().is_some_and(|c| c.respond.poll_reset(&mut cx).is_pending());
            if !open {
                tally.refuse(RefuseReason::Disconnected);
            }
            open
        });
    }

    fn work(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Poll::Ready((caller, worked)) = self.tasks.poll_next(cx) {
            progress = true;
            let Some(mut caller) = caller else { continue };
            match worked {
                Worked::Judged { verdict, wire_bytes } => self.judged(caller, verdict, wire_bytes),
                Worked::Answered { answer: Ok(answer), share } => {
                    let said = settle(&mut self.tally, caller.signal, share, answer);
                    caller.say(said);
                }
                Worked::Answered { answer: Err(refusal), .. } => {
                    self.tally.refuse(refusal.reason);
                    caller.say(refusal.into());
                }
            }
        }
        progress
    }

    /// The client has closed its side: bodies that are not whole will not be, but it may read the answers to others.
    fn end_of_input(&mut self) -> bool {
        if !self.link.has_ended() {
            return false;
        }
        if !self.reading.is_empty() {
            self.abandon_bodies();
            return true;
        }
        let answered = self.tasks.is_empty() && !self.connection.has_streams();
        answered && self.link.let_end()
    }

    fn abandon_bodies(&mut self) {
        for _ in self.reading.drain(..) {
            self.tally.refuse(RefuseReason::Disconnected);
        }
    }

    /// Counts all that will have no answer.
    fn abandon(&mut self) {
        self.abandon_bodies();
        let tally = &self.tally;
        self.tasks.retain(|_| {
            tally.refuse(RefuseReason::Disconnected);
            false
        });
    }

    fn lost(&mut self, error: &h2::Error) {
        if !error.is_io() && !error.is_remote() {
            self.tally.refuse(RefuseReason::Protocol);
        }
        self.abandon();
    }
}
