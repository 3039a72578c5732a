//! A discrete-event simulation of clients that deliver to one backend: the same seed gives the same history.
//!
//! A client has batches that wait, and sends as its [`Policy`] says, with the crate's own state machines; the backend
//! answers as its [`Backend`] says. Time is a number, so that a minute of it takes milliseconds.

mod backend;
mod client;
mod random;
pub(crate) mod scenarios;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

pub(crate) use backend::{Backend, Quota, Service};
use client::Client;
pub(crate) use client::{Arrivals, Policy};
use random::Random;

/// What happens at a moment.
#[derive(Debug)]
enum Event {
    /// A client looks whether it may send.
    Wake { client: usize },
    /// A new batch reaches a client.
    Arrival { client: usize },
    /// The answer of an attempt reaches its client, or the client has waited long enough.
    Answer { client: usize, attempt: client::Attempt, answer: Answer },
}

/// What a backend says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Delivered,
    /// Refused for now, perhaps with a word about when to come back.
    Busy {
        after: Option<Duration>,
    },
    /// No connection.
    Down,
    /// The client gave up waiting.
    TimedOut,
}

/// An event in the order of time; events of one moment in the order in which they were planned.
#[derive(Debug)]
struct Planned {
    at: Duration,
    order: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Events to come.
#[derive(Debug, Default)]
struct Agenda {
    events: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

impl Agenda {
    fn plan(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.events.push(Reverse(Planned { at, order: self.planned, event }));
    }
}

/// What was counted in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second {
    pub(crate) delivered: u64,
    pub(crate) attempts: u64,
    /// Attempts that were made alone, to see whether the backend is back.
    pub(crate) probes: u64,
    /// Attempts for batches that were attempted before, probes not counted.
    pub(crate) retries: u64,
}

/// What came of a simulation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) seconds: Vec<Second>,
    /// Round-trip time of delivered batches, summed.
    pub(crate) waited: Duration,
    /// The limit of each client at the end.
    pub(crate) limits: Vec<usize>,
    /// Batches that arrived, are delivered, or wait at the end; for clients that are always busy, nothing arrives.
    pub(crate) arrived: u64,
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
}

impl Report {
    /// Sums over some seconds.
    pub(crate) fn sum(&self, range: std::ops::Range<usize>) -> Second {
        self.seconds[range].iter().fold(Second::default(), |sum, second| Second {
            delivered: sum.delivered + second.delivered,
            attempts: sum.attempts + second.attempts,
            probes: sum.probes + second.probes,
            retries: sum.retries + second.retries,
        })
    }

    pub(crate) fn total(&self) -> Second {
        self.sum(0..self.seconds.len())
    }

    /// Delivered batches a second.
    pub(crate) fn throughput(&self) -> f64 {
        self.total().delivered as f64 / self.seconds.len() as f64
    }

    /// Mean round-trip time of deliveries.
    pub(crate) fn mean_wait(&self) -> Duration {
        self.waited.div_f64(self.total().delivered.max(1) as f64)
    }
}

/// Clients and the backend that they share.
#[derive(Debug)]
pub(crate) struct World {
    /// The instant at time zero.
    origin: Instant,
    now: Duration,
    agenda: Agenda,
    backend: Backend,
    random: Random,
    report: Report,
}

impl World {
    fn instant(&self) -> Instant {
        self.origin + self.now
    }

    fn second(&mut self) -> &mut Second {
        let last = self.report.seconds.len() - 1;
        &mut self.report.seconds[(self.now.as_secs() as usize).min(last)]
    }
}

/// Lets that many clients with the same policy deliver to a backend for so many seconds.
pub(crate) fn simulate(
    backend: &Backend,
    clients: usize,
    arrivals: Arrivals,
    policy: &Policy,
    seconds: usize,
    seed: u64,
) -> Report {
    let report = Report {
        seconds: vec![Second::default(); seconds],
        waited: Duration::ZERO,
        limits: Vec::new(),
        arrived: 0,
        waiting: 0,
        in_flight: 0,
    };
    let mut world = World {
        origin: Instant::now(),
        now: Duration::ZERO,
        agenda: Agenda::default(),
        backend: backend.clone(),
        random: Random::new(seed),
        report,
    };
    let mut clients: Vec<Client> = (0..clients)
        .map(|id| Client::new(id, policy, arrivals, Random::new(seed ^ (id as u64 + 1) << 32)))
        .collect();
    for client in &mut clients {
        client.start(&mut world);
    }
    let end = Duration::from_secs(seconds as u64);
    while let Some(Reverse(planned)) = world.agenda.events.pop() {
        if planned.at >= end {
            break;
        }
        world.now = planned.at;
        match planned.event {
            Event::Wake { client } => clients[client].woken(&mut world),
            Event::Arrival { client } => clients[client].arrival(&mut world),
            Event::Answer { client, attempt, answer } => {
                clients[client].answered(&mut world, attempt, answer);
            }
        }
    }
    for client in &clients {
        world.report.limits.push(client.limit());
        world.report.waiting += client.waiting();
        world.report.in_flight += client.in_flight();
    }
    world.report
}
