//! One gRPC connection of the generator: HTTP/2 by the h2 crate, all requests driven by one task.

use super::answer::Attempt;
use super::bell::Bell;
use super::body::Bodies;
use super::coalesce::Coalesce;
use super::exchange::State;
use super::queue::{Job, Queue};
use super::target::Target;
use aqueduct::wire::Signal;
use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// How often attempts are held against their deadlines.
const SCAN: Duration = Duration::from_millis(50);

/// What h2 charges at most for a small DATA frame that nobody has read yet, such as an answer of five bytes. It takes about a
/// hundred of them for an attack and closes the connection; but when a server acknowledges a whole batch, the answers to all
/// requests in flight come at once.
const ANSWER_COST: usize = 256;

/// What stays the same from connection to connection.
pub(crate) struct Lane {
    pub(crate) target: Rc<Target>,
    pub(crate) queue: Queue,
    pub(crate) bodies: Bodies,
    pub(crate) bell: Arc<Bell>,
    /// When this lane wants to be rung because something is due; `None` while it has no place for it.
    pub(crate) due: Rc<Cell<Option<Instant>>>,
    head: Head,
    slots: Vec<Slot>,
    free: Vec<usize>,
    wakers: Vec<Waker>,
    connection_waker: Waker,
}

/// Method, path and headers, which are the same for every request.
struct Head {
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn new(target: &Target, signal: Signal) -> Result<Self, http::Error> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(target.authority.as_str())
            .path_and_query(signal.grpc_path())
            .build()?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(super::USER_AGENT));
        if let Some(name) = target.encoder.name() {
            headers.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static(name));
        }
        Ok(Self { uri, headers })
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// A place for one request in flight.
#[derive(Default)]
struct Slot {
    exchange: Option<Exchange>,
}

struct Exchange {
    job: Job,
    body: Bytes,
    deadline: Instant,
    state: State,
}

/// Why a connection is no longer used.
enum Ended {
    /// Every request of the run has ended.
    Finished,
    /// It broke, or the server said goodbye.
    Lost,
}

impl Lane {
    pub(crate) fn new(
        target: Rc<Target>,
        signal: Signal,
        queue: Queue,
        bodies: Bodies,
        in_flight: usize,
    ) -> Result<Self, super::LoadError> {
        let bell = Bell::new(in_flight);
        Ok(Self {
            head: Head::new(&target, signal)?,
            target,
            queue,
            bodies,
            due: Rc::new(Cell::new(Some(Instant::now()))),
            slots: (0..in_flight).map(|_| Slot::default()).collect(),
            free: (0..in_flight).rev().collect(),
            wakers: (0..in_flight).map(|slot| bell.slot_waker(slot)).collect(),
            connection_waker: bell.connection_waker(),
            bell,
        })
    }

    /// Sends until the run is over, connecting again as often as needed. Gives the queue back for its final counts.
    pub(crate) async fn run(mut self) -> Queue {
        let mut failures = 0;
        while !self.queue.is_finished(Instant::now()) {
            match self.target.connect().await {
                Ok(stream) => {
                    failures = 0;
                    self.queue.count_connect();
                    let io = Coalesce::new(stream);
                    let mut builder = h2::client::Builder::new();
                    builder
                        .enable_push(false)
                        .data_frame_budget(self.slots.len().saturating_mul(ANSWER_COST));
                    match builder.handshake(io.clone()).await {
                        Ok((send, connection)) => {
                            if matches!(self.session(io, send, connection).await, Ended::Finished) {
                                break;
                            }
                        }
                        Err(error) => self.queue.problem(error),
                    }
                }
                Err(error) => {
                    self.queue.problem(error);
                    failures += 1;
                    let pause = self.queue.reconnect_pause(failures);
                    tokio::time::sleep(pause).await;
                }
            }
            self.queue.expire_waiting(Some(Instant::now()));
        }
        self.queue
    }

    async fn session(
        &mut self,
        io: Coalesce,
        send: SendRequest<Bytes>,
        connection: Connection<Coalesce, Bytes>,
    ) -> Ended {
        let mut session = Session {
            io,
            send,
            connection,
            closing: false,
            scan_at: Instant::now() + SCAN,
            armed: Instant::now() + SCAN,
            timer: Box::pin(tokio::time::sleep(SCAN)),
        };
        self.bell.ring_connection();
        let ended = poll_fn(|cx| session.poll(self, cx)).await;
        drop(session);
        // Whatever has not been answered by now will not be.
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            if let Some(exchange) = self.slots[slot].exchange.take() {
                self.finish(slot, exchange, Attempt::Unknown, now);
            }
        }
        self.bell.take_slots(|_| {});
        ended
    }

    fn finish(&mut self, slot: usize, exchange: Exchange, attempt: Attempt, now: Instant) {
        self.free.push(slot);
        self.bodies.recycle(exchange.body);
        self.queue.settle(exchange.job, attempt, now);
    }

    /// Moves one exchange as far as it goes.
    fn poll_slot(&mut self, slot: usize, now: Instant) {
        let Some(mut exchange) = self.slots[slot].exchange.take() else { return };
        let mut cx = Context::from_waker(&self.wakers[slot]);
        match exchange.state.poll(&mut cx) {
            Poll::Pending => self.slots[slot].exchange = Some(exchange),
            Poll::Ready((attempt, problem)) => {
                if let Some(problem) = problem {
                    self.queue.problem(problem);
                }
                self.finish(slot, exchange, attempt, now);
            }
        }
    }
}

/// One connection in use.
struct Session {
    io: Coalesce,
    send: SendRequest<Bytes>,
    connection: Connection<Coalesce, Bytes>,
    /// The server takes no further requests on this connection.
    closing: bool,
    scan_at: Instant,
    armed: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Session {
    fn poll(&mut self, lane: &mut Lane, cx: &mut Context<'_>) -> Poll<Ended> {
        let bell = Arc::clone(&lane.bell);
        let connection_waker = lane.connection_waker.clone();
        let io_cx = &mut Context::from_waker(&connection_waker);
        bell.drive(cx.waker());
        loop {
            // What has arrived wakes slots; what was sent below is turned into frames.
            let broken = bell.take_connection() && self.connection.poll_unpin(io_cx).is_ready();
            let now = Instant::now();
            let mut moved = false;
            bell.take_slots(|slot| {
                moved = true;
                lane.poll_slot(slot, now);
            });
            if broken {
                return Poll::Ready(Ended::Lost);
            }
            moved |= self.send_due(lane, io_cx, now);
            if moved {
                continue;
            }
            if let Poll::Ready(Err(error)) = self.io.poll_send(io_cx) {
                lane.queue.problem(error);
                return Poll::Ready(Ended::Lost);
            }
            if self.watch_time(lane, cx, now) {
                continue;
            }
            if lane.queue.is_finished(now) {
                return Poll::Ready(Ended::Finished);
            }
            if self.closing && lane.free.len() == lane.slots.len() {
                return Poll::Ready(Ended::Lost);
            }
            lane.due.set(if lane.free.is_empty() { None } else { lane.queue.fresh_at(now) });
            if bell.rest() {
                return Poll::Pending;
            }
        }
    }

    /// Sends what is due; says whether anything was.
    fn send_due(&mut self, lane: &mut Lane, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut sent = false;
        while !self.closing && !lane.free.is_empty() && lane.queue.is_due(now) {
            match self.send.poll_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => {
                    self.closing = true;
                    break;
                }
                Poll::Ready(Ok(())) => {}
            }
            let Some(job) = lane.queue.next(now) else { break };
            let started =
                lane.bodies.make(job.first, now).map_err(|error| error.to_string()).and_then(|body| {
                    let (answer, mut stream) = self
                        .send
                        .send_request(lane.head.request(), false)
                        .map_err(|error| error.to_string())?;
                    stream.send_data(body.clone(), true).map_err(|error| error.to_string())?;
                    Ok((body, answer))
                });
            match started {
                Ok((body, answer)) => {
                    let slot = lane.free.pop().expect("checked by the loop");
                    let deadline = lane.queue.attempt_deadline(&job, now);
                    lane.slots[slot].exchange =
                        Some(Exchange { job, body, deadline, state: State::new(answer) });
                    // The first poll registers the slot's waker with h2.
                    lane.poll_slot(slot, now);
                    sent = true;
                }
                Err(problem) => {
                    lane.queue.problem(problem);
                    lane.queue.settle(job, Attempt::Unsent, now);
                    self.closing = true;
                }
            }
        }
        sent
    }

    /// Ends attempts that take too long, and sets the timer for what comes next; says whether that is now.
    fn watch_time(&mut self, lane: &mut Lane, cx: &mut Context<'_>, now: Instant) -> bool {
        if now >= self.scan_at {
            self.scan_at = now + SCAN;
            for slot in 0..lane.slots.len() {
                if lane.slots[slot].exchange.as_ref().is_some_and(|exchange| exchange.deadline <= now)
                    && let Some(exchange) = lane.slots[slot].exchange.take()
                {
                    lane.queue.problem("no answer within the timeout");
                    lane.finish(slot, exchange, Attempt::Unknown, now);
                }
            }
            lane.queue.expire_waiting(Some(now));
        }
        // A retry that is due already waits for a place, which no timer can give it.
        let retry = lane.queue.retry_at().filter(|at| *at > now);
        let wanted = retry.map_or(self.scan_at, |at| at.min(self.scan_at));
        if wanted < self.armed || self.armed <= now {
            self.armed = wanted;
            self.timer.as_mut().reset(wanted.into());
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}

/// `poll` of the connection without a pin in sight.
trait PollUnpin: Future + Unpin {
    fn poll_unpin(&mut self, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(self).poll(cx)
    }
}

impl PollUnpin for Connection<Coalesce, Bytes> {}
