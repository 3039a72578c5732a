//! The backend of a simulation: servers with one queue, a quota before them, and times when it is down.

use std::collections::VecDeque;
use std::time::Duration;

use super::Answer;
use super::random::Random;

/// How long a server works on a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Fixed(Duration),
    /// Lognormal around this median; `sigma` is the deviation of the logarithm.
    Lognormal {
        median: Duration,
        sigma: f64,
    },
}

/// At most `rate` batches a second, `burst` of them at once; a token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) rate: f64,
    pub(crate) burst: f64,
    /// Whether refusals say when to come back.
    pub(crate) tells: Option<Duration>,
}

/// A backend. Everything it answers takes a round trip of `network` besides.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    network: Duration,
    service: Service,
    /// From when on there are so many servers; none means that it is down.
    capacity: Vec<(Duration, usize)>,
    /// Batches that may wait for a server.
    queue: usize,
    /// What it costs a server to refuse one more.
    refusal: Duration,
    quota: Option<Quota>,

    tokens: f64,
    filled_at: Duration,
    /// When each server is free.
    free_at: Vec<Duration>,
    /// When each batch that waits will be begun.
    begins: VecDeque<Duration>,
}

impl Backend {
    /// Always up, with no end of room.
    pub(crate) fn new(network: Duration, service: Service, servers: usize) -> Self {
        Self {
            network,
            service,
            capacity: vec![(Duration::ZERO, servers)],
            queue: usize::MAX,
            refusal: Duration::ZERO,
            quota: None,
            tokens: 0.0,
            filled_at: Duration::ZERO,
            free_at: Vec::new(),
            begins: VecDeque::new(),
        }
    }

    /// From this time on it has so many servers; in the order of time.
    pub(crate) fn then(mut self, from: Duration, servers: usize) -> Self {
        self.capacity.push((from, servers));
        self
    }

    pub(crate) fn with_queue(mut self, queue: usize, refusal: Duration) -> Self {
        (self.queue, self.refusal) = (queue, refusal);
        self
    }

    pub(crate) fn with_quota(mut self, quota: Quota) -> Self {
        (self.quota, self.tokens) = (Some(quota), quota.burst);
        self
    }

    /// What it answers to a batch that is sent now, and after how long.
    pub(super) fn take(&mut self, now: Duration, random: &mut Random) -> (Duration, Answer) {
        let servers =
            self.capacity.iter().rev().find(|(from, _)| *from <= now).map_or(0, |(_, servers)| *servers);
        if servers == 0 {
            self.free_at.clear();
            self.begins.clear();
            return (self.network, Answer::Down);
        }
        if let Some(after) = self.over_quota(now) {
            return (self.network, Answer::Busy { after });
        }
        self.free_at.resize(servers, now);
        while self.begins.front().is_some_and(|begins| *begins <= now) {
            self.begins.pop_front();
        }
        let service = match self.service {
            Service::Fixed(time) => time,
            Service::Lognormal { median, sigma } => median.mul_f64(random.lognormal(sigma)),
        };
        let Some(free) = self.free_at.iter_mut().min() else { return (self.network, Answer::Down) };
        let begins = now.max(*free);
        if self.begins.len() >= self.queue {
            *free = begins + self.refusal;
            return (self.network, Answer::Busy { after: None });
        }
        if begins > now {
            self.begins.push_back(begins);
        }
        *free = begins + service;
        (self.network + (begins + service - now), Answer::Delivered)
    }

    /// Takes a token, or says what to tell the client.
    fn over_quota(&mut self, now: Duration) -> Option<Option<Duration>> {
        let quota = self.quota?;
        let earned = (now - self.filled_at).as_secs_f64() * quota.rate;
        (self.tokens, self.filled_at) = ((self.tokens + earned).min(quota.burst), now);
        if self.tokens < 1.0 {
            return Some(quota.tells);
        }
        self.tokens -= 1.0;
        None
    }
}
