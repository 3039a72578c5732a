//! One HTTP/2 connection that comes and goes, seen from those who want to send on it.
//!
//! A [`Slot`] is empty, or it refers to a task that first connects and then drives the connection until it ends. The
//! task publishes its state; every call that finds it connecting waits for the same result. The task belongs to nobody's
//! call, so a call that is cancelled or times out leaves the connection to the others. When the last receiver of
//! the state is gone, which is when the client is dropped or has turned to another connection, the task lets go of
//! its own handle and ends as soon as the last call on it has.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, SendRequest};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::keepalive::{Complaints, Keepalive};
use crate::connect::{Dial, Stream};
use crate::failure::Failure;
use crate::status::Counters;

/// What a connection needs to come about and to stay.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) dial: Dial,
    pub(super) http2: Builder,
    pub(super) keepalive_interval: Option<Duration>,
    pub(super) keepalive_timeout: Duration,
    pub(super) complaints: Complaints,
    pub(super) counters: Arc<Counters>,
}

/// A handle for sending on a connection that is up.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) send: SendRequest<Bytes>,
    /// Answers that arrived on this connection; each spares a ping.
    pub(super) answers: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum State {
    Connecting,
    Up(Handle),
    Failed(Failure),
    /// The task has let go; nobody is left to see it.
    Released,
}

/// Which connection a handle came from.
#[derive(Debug)]
pub(super) struct Ticket(watch::Receiver<State>);

/// The place of one connection.
#[derive(Debug, Default)]
pub(super) struct Slot {
    current: Mutex<Option<watch::Receiver<State>>>,
}

impl Slot {
    /// A handle on the connection, which is opened if there is none.
    pub(super) async fn handle(&self, setup: &Arc<Setup>) -> Result<(Handle, Ticket), Failure> {
        let mut state = self.current(setup);
        let up = match state.wait_for(|state| !matches!(state, State::Connecting)).await {
            Ok(state) => state.clone(),
            Err(_) => State::Connecting,
        };
        match up {
            State::Up(handle) => Ok((handle, Ticket(state))),
            State::Failed(failure) => Err(failure),
            // The task was dropped before it could tell anything: its runtime is shutting down.
            State::Connecting | State::Released => Err(setup.dial.failure("the runtime is shutting down")),
        }
    }

    /// Forgets the connection that this ticket came with, unless that has happened already.
    pub(super) fn forget(&self, ticket: &Ticket) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| current.same_channel(&ticket.0)) {
            *current = None;
        }
    }

    fn current(&self, setup: &Arc<Setup>) -> watch::Receiver<State> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = &*current {
            // An error means that the task has ended, and with it the connection.
            let alive = state.has_changed().is_ok() && !matches!(*state.borrow(), State::Failed(_));
            if alive {
                return state.clone();
            }
        }
        let (publish, state) = watch::channel(State::Connecting);
        tokio::spawn(run(setup.clone(), publish));
        *current = Some(state.clone());
        state
    }
}

/// The life of one connection.
async fn run(setup: Arc<Setup>, publish: watch::Sender<State>) {
    let deadline = Instant::now() + setup.dial.timeout;
    let (send, mut connection) = match open(&setup, deadline).await {
        Ok(open) => open,
        Err(failure) => {
            setup.counters.connect_failed();
            publish.send_replace(State::Failed(failure));
            return;
        }
    };
    let _up = setup.counters.connected();
    let answers = Arc::new(AtomicU64::new(0));
    let pings = connection.ping_pong();
    let mut keepalive = setup.keepalive_interval.zip(pings).map(|(every, pings)| {
        Keepalive::new(pings, setup.complaints.stretch(every), setup.keepalive_timeout, answers.clone())
    });
    publish.send_replace(State::Up(Handle { send, answers }));

    let mut connection = pin!(connection);
    let mut unwanted = Some(Box::pin(publish.closed()));
    poll_fn(|cx| {
        if let Some(closed) = &mut unwanted
            && closed.as_mut().poll(cx).is_ready()
        {
            unwanted = None;
            publish.send_replace(State::Released);
        }
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if end.is_err_and(|error| error.is_remote() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM))
            {
                setup.complaints.heard();
            }
            return Poll::Ready(());
        }
        match &mut keepalive {
            // Dropping the connection fails the calls that are on it.
            Some(keepalive) => keepalive.poll_dead(cx),
            None => Poll::Pending,
        }
    })
    .await;
}

type Connection = h2::client::Connection<Stream, Bytes>;

async fn open(setup: &Setup, deadline: Instant) -> Result<(SendRequest<Bytes>, Connection), Failure> {
    let stream = setup.dial.connect(deadline).await?;
    match timeout_at(deadline, setup.http2.handshake(stream)).await {
        Ok(Ok(open)) => Ok(open),
        Ok(Err(error)) => Err(setup.dial.failure(&format!("HTTP/2 handshake: {error}"))),
        Err(_) => Err(setup.dial.failure("the HTTP/2 handshake timed out")),
    }
}
