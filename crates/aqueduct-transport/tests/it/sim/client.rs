//! A client of a simulation: batches that wait, and the crate's policies that say when one is sent.

use std::time::{Duration, Instant};

use aqueduct_transport::limit::Permit;
use aqueduct_transport::{
    Backoff, ConcurrencyLimit, Feedback, PauseClock, RetryBudget, RetryPolicy, Spend, Throttle, Turn,
};

use super::random::Random;
use super::{Answer, Event, World};

/// Where a client's batches come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrivals {
    /// There is always another.
    Endless,
    /// Independent of each other, so many a second.
    PerSecond(f64),
}

/// After so many failures in a row the backend was away.
const AWAY: u32 = 3;

/// While there is no server a pause is at most so long: looking for it burdens nobody.
const LOOKING: Duration = Duration::from_secs(10);

/// How a client delivers.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) limit: ConcurrencyLimit,
    /// Whether a failure pauses everything, as a destination of the pipeline does; otherwise failed batches are sent
    /// again at once.
    pub(crate) pauses: bool,
    pub(crate) budget: Option<RetryBudget>,
    /// Whether it keeps to its share while some is refused, and begins slowly after a return, as a destination of the pipeline does.
    pub(crate) throttles: bool,
    /// How long it waits for an answer. The backend works on all the same.
    pub(crate) timeout: Duration,
}

impl Policy {
    pub(crate) fn new(limit: ConcurrencyLimit) -> Self {
        Self { limit, pauses: true, budget: None, throttles: false, timeout: Duration::from_secs(10) }
    }
}

/// One attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    permit: Permit,
    sent: Duration,
    probe: bool,
}

#[derive(Debug)]
pub(super) struct Client {
    id: usize,
    policy: Policy,
    arrivals: Arrivals,
    clock: PauseClock,
    backoff: Backoff,
    throttle: Throttle,
    /// When the pause began that is not over yet: an attempt from before it that fails is no news.
    paused: Option<Duration>,
    /// Batches that were never sent, and that came back.
    fresh: u64,
    failed: u64,
    /// Dice of its own, so that the same failures lead to the same pauses whatever else differs.
    random: Random,
    /// The wake-up that is planned.
    wake: Option<Duration>,
}

impl Client {
    pub(super) fn new(id: usize, policy: &Policy, arrivals: Arrivals, random: Random) -> Self {
        Self {
            id,
            policy: policy.clone(),
            arrivals,
            clock: PauseClock::default(),
            backoff: Backoff::new(RetryPolicy::default()),
            throttle: Throttle::new(Instant::now()),
            paused: None,
            fresh: 0,
            failed: 0,
            random,
            wake: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.policy.limit.limit()
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.policy.limit.in_flight() as u64
    }

    pub(super) fn waiting(&self) -> u64 {
        self.fresh + self.failed
    }

    pub(super) fn start(&mut self, world: &mut World) {
        match self.arrivals {
            Arrivals::Endless => self.send(world),
            Arrivals::PerSecond(_) => self.plan_arrival(world),
        }
    }

    fn plan_arrival(&mut self, world: &mut World) {
        if let Arrivals::PerSecond(rate) = self.arrivals {
            let gap = Duration::from_secs_f64(world.random.exponential() / rate);
            world.agenda.plan(world.now + gap, Event::Arrival { client: self.id });
        }
    }

    pub(super) fn arrival(&mut self, world: &mut World) {
        world.report.arrived += 1;
        self.fresh += 1;
        self.plan_arrival(world);
        self.send(world);
    }

    pub(super) fn woken(&mut self, world: &mut World) {
        if self.wake == Some(world.now) {
            self.wake = None;
        }
        self.send(world);
    }

    /// Sends as much as may be sent now.
    fn send(&mut self, world: &mut World) {
        while self.failed > 0 || self.fresh > 0 || matches!(self.arrivals, Arrivals::Endless) {
            let now = world.instant();
            let Some(permit) = self.policy.limit.try_acquire(now) else { return };
            let probe = match if self.policy.pauses { self.clock.next(now) } else { Turn::Go } {
                Turn::Go => false,
                Turn::Probe => true,
                Turn::Wait(until) => {
                    self.policy.limit.finished(permit, now, Feedback::Failure);
                    return self.wake_at(world, until);
                }
                _ => unreachable!("three turns"),
            };
            if self.policy.throttles
                && !probe
                && let Some(until) = self.throttle.wait(now)
            {
                self.policy.limit.finished(permit, now, Feedback::Failure);
                return self.wake_at(world, until);
            }
            let Some(retry) = self.choose(world, probe) else {
                return self.policy.limit.finished(permit, now, Feedback::Failure);
            };
            self.attempt(world, permit, probe, retry);
        }
    }

    /// Which batch is sent: one that failed, if the budget covers it, or a fresh one. Whether it is a retry.
    fn choose(&mut self, world: &mut World, probe: bool) -> Option<bool> {
        if self.failed > 0 {
            let spend = match &mut self.policy.budget {
                Some(budget) if !probe => budget.try_spend(world.instant()),
                _ => Spend::Now,
            };
            match spend {
                Spend::Now => {
                    self.failed -= 1;
                    return Some(true);
                }
                Spend::WaitUntil(at) => self.wake_at(world, at),
                _ => unreachable!("two answers"),
            }
        }
        match self.arrivals {
            Arrivals::PerSecond(_) if self.fresh == 0 => return None,
            Arrivals::PerSecond(_) => self.fresh -= 1,
            Arrivals::Endless => {}
        }
        if let Some(budget) = &mut self.policy.budget {
            budget.first_attempt();
        }
        Some(false)
    }

    fn attempt(&mut self, world: &mut World, permit: Permit, probe: bool, retry: bool) {
        self.throttle.sent(world.instant());
        let second = world.second();
        second.attempts += 1;
        second.probes += u64::from(probe);
        second.retries += u64::from(retry && !probe);
        let (after, answer) = world.backend.take(world.now, &mut world.random);
        let (after, answer) = match after > self.policy.timeout {
            true => (self.policy.timeout, Answer::TimedOut),
            false => (after, answer),
        };
        let attempt = Attempt { permit, sent: world.now, probe };
        world.agenda.plan(world.now + after, Event::Answer { client: self.id, attempt, answer });
    }

    pub(super) fn answered(&mut self, world: &mut World, attempt: Attempt, answer: Answer) {
        let now = world.instant();
        let Attempt { permit, sent, probe } = attempt;
        let feedback = match answer {
            Answer::Delivered => Feedback::Success,
            Answer::Busy { .. } | Answer::TimedOut => Feedback::Backpressure,
            Answer::Down => Feedback::Failure,
        };
        self.policy.limit.finished(permit, now, feedback);
        if feedback == Feedback::Backpressure {
            self.throttle.refused(now);
        }
        let of_before = !probe && self.paused.is_some_and(|began| sent <= began);
        match answer {
            Answer::Delivered => {
                world.second().delivered += 1;
                world.report.waited += world.now - sent;
                if !of_before {
                    if self.policy.throttles && self.backoff.failures() >= AWAY {
                        self.throttle.returned(now);
                        self.policy.limit.restart();
                    }
                    self.throttle.taken(now);
                    self.backoff.succeeded();
                    self.paused = None;
                    self.clock.succeeded(now);
                }
            }
            Answer::Busy { .. } | Answer::TimedOut | Answer::Down => {
                let hint = if let Answer::Busy { after } = answer { after } else { None };
                if !matches!(self.arrivals, Arrivals::Endless) {
                    self.failed += 1;
                }
                let longest = if answer == Answer::Down { LOOKING } else { Duration::MAX };
                self.pause(world, of_before, hint, longest, now);
            }
        }
        self.send(world);
    }

    fn pause(
        &mut self,
        world: &mut World,
        of_before: bool,
        hint: Option<Duration>,
        longest: Duration,
        now: Instant,
    ) {
        let delay = if of_before {
            hint.unwrap_or(Duration::ZERO)
        } else {
            self.paused = Some(world.now);
            self.backoff.failed(hint, self.random.unit()).min(longest)
        };
        if !of_before || !delay.is_zero() {
            self.clock.failed(now, delay);
        }
    }

    fn wake_at(&mut self, world: &mut World, at: Instant) {
        let at = at.saturating_duration_since(world.origin).max(world.now);
        if self.wake.is_none_or(|planned| planned > at) {
            self.wake = Some(at);
            world.agenda.plan(at, Event::Wake { client: self.id });
        }
    }
}
