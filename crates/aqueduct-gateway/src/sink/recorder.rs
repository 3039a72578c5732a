//! Receives requests, decides their fate and records what is kept.

use super::faults::{Faults, Verdict};
use super::{FaultClock, SinkArgs};
use crate::ids::{Census, for_each_id};
use aqueduct::receiver::{Accept, Answer, Incoming, Reply};
use aqueduct::wire::Signal;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What a sink has seen.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) census: Census,
    pub(crate) foreign: u64,
    pub(crate) items: [u64; Signal::ALL.len()],
    /// Requests whose items were recorded.
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) failed: u64,
    pub(crate) hung: u64,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    /// When an item arrived last that had not been here before.
    pub(crate) last_new: Option<Instant>,
    pub(crate) down_since: Option<Instant>,
    pub(crate) up_again: Option<Instant>,
    pub(crate) first_after_down: Option<Instant>,
}

impl Record {
    /// Takes a request's items in.
    pub(crate) fn store(&mut self, incoming: &Incoming, now: Instant) {
        let signal = incoming.chunk.signal();
        let mut new = 0_u64;
        let census = &mut self.census;
        let tally = for_each_id(signal, incoming.chunk.bytes(), |id| new += u64::from(census.insert(id)));
        self.foreign += tally.foreign;
        self.items[signal.index()] += tally.marked + tally.foreign;
        self.requests += 1;
        self.bytes += incoming.chunk.len() as u64;
        self.wire_bytes += incoming.wire_bytes as u64;
        self.first.get_or_insert(now);
        self.last = Some(now);
        if tally.foreign > 0 || new > 0 {
            self.last_new = Some(now);
        }
        if self.up_again.is_some() {
            self.first_after_down.get_or_insert(now);
        }
    }
}

#[derive(Debug)]
struct State {
    record: Record,
    faults: Faults,
    /// When the faults' clock began.
    clock: Option<Instant>,
}

/// The sink's handler.
#[derive(Debug)]
pub(crate) struct Recorder {
    state: Mutex<State>,
    /// Rung when items were recorded.
    recorded: Condvar,
    /// Tells the doors when the clock began.
    clock: watch::Sender<Option<Instant>>,
    delay: Option<Duration>,
    store_then_fail: bool,
}

impl Recorder {
    pub(crate) fn new(args: &SinkArgs) -> Self {
        let clock = (args.faults_from == FaultClock::Start).then(Instant::now);
        Self {
            state: Mutex::new(State { record: Record::default(), faults: Faults::new(args), clock }),
            recorded: Condvar::new(),
            clock: watch::channel(clock).0,
            delay: args.delay,
            store_then_fail: args.store_then_fail,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what was recorded, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Record) -> T) -> T {
        look(&mut self.lock().record)
    }

    /// Waits until what was recorded satisfies `enough`; `false` if it does not within `timeout`. Blocks.
    pub(crate) fn wait_for(&self, timeout: Duration, mut enough: impl FnMut(&Record) -> bool) -> bool {
        let (state, waited) = self
            .recorded
            .wait_timeout_while(self.lock(), timeout, |state| !enough(&state.record))
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !waited.timed_out()
    }

    /// The moment the faults' clock begins.
    pub(crate) fn clock(&self) -> watch::Receiver<Option<Instant>> {
        self.clock.subscribe()
    }

    fn judge(&self, incoming: &Incoming) -> Verdict {
        let now = Instant::now();
        let mut state = self.lock();
        let begun = match state.clock {
            Some(begun) => begun,
            None => {
                state.clock = Some(now);
                self.clock.send_replace(Some(now));
                now
            }
        };
        let verdict = state.faults.decide(now - begun);
        let stored = match verdict {
            Verdict::Take => true,
            Verdict::Fail(_) => {
                state.record.failed += 1;
                self.store_then_fail
            }
            Verdict::Hang => {
                state.record.hung += 1;
                self.store_then_fail
            }
        };
        if stored {
            state.record.store(incoming, now);
            drop(state);
            self.recorded.notify_all();
        }
        verdict
    }
}

impl Accept for Recorder {
    fn accept(&self, incoming: Incoming) -> Reply {
        let answer = match self.judge(&incoming) {
            Verdict::Take => Answer::Accepted,
            Verdict::Fail(answer) => answer,
            Verdict::Hang => return Reply::Later(Box::pin(std::future::pending())),
        };
        match self.delay {
            None => Reply::Now(answer),
            Some(delay) => {
                let until = tokio::time::Instant::now() + delay;
                Reply::Later(Box::pin(async move {
                    tokio::time::sleep_until(until).await;
                    answer
                }))
            }
        }
    }
}
