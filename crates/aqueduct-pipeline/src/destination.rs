//! A destination: an exporter with its retry policy and the one pause clock that all its lanes obey.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_exec::fork::PerProcess;
use aqueduct_transport::{
    Backoff, BudgetConfig, Compression, Compressor, Encoding, Format, PauseClock, Request, RetryBudget,
    RetryPolicy, Throttle, Turn,
};
use aqueduct_wire::Merged;
use tokio::sync::watch;

use crate::Exporter;
use crate::halve::Sizes;

/// A destination that has taken nothing for so long was away; less is a hiccup, after which it goes on as before.
const AWAY: Duration = Duration::from_secs(3);

/// Where batches go. Share one (in an `Arc`) between the pipelines of several signals: they keep lanes and ledgers of
/// their own, but when the destination asks for a pause all of them pause.
///
/// A forked child makes itself an exporter of its own ([`Exporter::rebuild`]), and knows nothing of the pauses of its parent.
pub struct Destination {
    name: String,
    retry: RetryPolicy,
    here: PerProcess<Arc<Here>>,
}

/// A destination as one process sees it.
pub(crate) struct Here {
    name: String,
    exporter: Box<dyn Exporter>,
    retry: RetryPolicy,
    pacing: Mutex<Pacing>,
    /// Shared by all lanes: a server's limit is one for all signals.
    sizes: Mutex<Sizes>,
    /// Shared by all lanes: what the destination has to bear is the sum.
    retries: Mutex<RetryBudget>,
    /// Compresses what waits; `None` in a build that cannot.
    squeezer: Option<Compressor>,
    /// Lanes that drain, and flushes that wait. A plain counter.
    hurried: AtomicUsize,
    /// Counts the changes of `pacing` that may let a waiting lane go on.
    changed: watch::Sender<u64>,
}

/// That a lane drains, or a flush waits.
#[derive(Debug)]
pub(crate) struct Hurry(Arc<Here>);

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.hurried.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The exporter cannot be made anew in a forked process.
#[derive(Debug)]
pub(crate) struct NotHere;

/// Whether requests are sent to a destination, in the words of circuit breakers. It opens at the first failure that another request would share, for as
/// long as the back-off says or the destination asked for; then one request probes. What waits meanwhile is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// They are sent.
    Closed,
    /// Nothing is sent for so long.
    Open(Duration),
    /// One request probes, or is about to, and the others wait for its answer.
    HalfOpen,
}

impl fmt::Display for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("sending"),
            Self::Open(left) => write!(f, "paused for {:.1} s", left.as_secs_f64()),
            Self::HalfOpen => f.write_str("probing"),
        }
    }
}

#[derive(Debug)]
struct Pacing {
    clock: PauseClock,
    /// Counts failures in a row, once per pause: eight requests that fail together are one failure.
    backoff: Backoff,
    pause: Option<Pause>,
    /// Whether the destination has named a delay since it last took something: that one is kept, and those that grow from it.
    demanded: bool,
    throttle: Throttle,
    /// Since when it takes nothing, if it does not.
    failing_since: Option<Instant>,
    /// How often it has come back after it was away.
    returns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    /// Attempts that started before this neither lengthen the pause (but for the server's hint) nor end it.
    began: Instant,
    until: Instant,
}

impl Destination {
    /// A destination of this name (it labels ledgers, metrics and notices).
    pub fn new(name: impl Into<String>, exporter: impl Exporter, retry: RetryPolicy) -> Self {
        let name = name.into();
        let here = Here::new(name.clone(), Box::new(exporter), retry.clone());
        Self { name, retry, here: PerProcess::with(Arc::new(here)) }
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The destination in this process.
    pub(crate) fn here(&self) -> Result<&Arc<Here>, NotHere> {
        self.here.get_or_try_build(|inherited| {
            let exporter = inherited.and_then(|inherited| inherited.exporter.rebuild()).ok_or(NotHere)?;
            Ok(Arc::new(Here::new(self.name.clone(), exporter, self.retry.clone())))
        })
    }
}

/// Evenly from 0 to below 1: each [`RandomState`] has other keys, from the operating system's generator, and a hash under them is random enough for jitter.
fn unit_random() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Here {
    fn new(name: String, exporter: Box<dyn Exporter>, retry: RetryPolicy) -> Self {
        Self {
            name,
            exporter,
            pacing: Mutex::new(Pacing {
                clock: PauseClock::default(),
                backoff: Backoff::new(retry.clone()),
                pause: None,
                demanded: false,
                throttle: Throttle::new(Instant::now()),
                failing_since: None,
                returns: 0,
            }),
            sizes: Mutex::default(),
            retries: Mutex::new(retry_budget()),
            squeezer: Compressor::new(Compression::Zstd(1)).ok(),
            retry,
            hurried: AtomicUsize::new(0),
            changed: watch::Sender::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn exporter(&self) -> &dyn Exporter {
        &*self.exporter
    }

    /// Whether what waits can be compressed.
    pub(crate) fn can_squeeze(&self) -> bool {
        self.squeezer.is_some()
    }

    /// The batch compressed, in no more memory than it needs: as it will be sent, if it is sent so. As it is, if that makes it no smaller.
    pub(crate) fn squeeze(&self, batch: &Merged) -> Request {
        let spoken = self.exporter.speaks(Encoding::Zstd).then(|| self.exporter.prepare(batch));
        // From anything else no batch can be made again.
        let spoken = spoken.filter(|prepared| prepared.format() == Format::Protobuf);
        let frame = spoken.unwrap_or_else(|| {
            let plain = Request::plain(batch);
            match &self.squeezer {
                Some(squeezer) => squeezer.compress(plain),
                None => plain,
            }
        });
        if frame.encoding() == Encoding::Identity { frame } else { frame.compact() }
    }

    /// Whether a batch that failed after so many attempts, at this age, may be tried again.
    pub(crate) fn allows_retry(&self, attempts: u32, age: Duration) -> bool {
        self.retry.allows(attempts, age)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn pacing(&self) -> MutexGuard<'_, Pacing> {
        // Every critical section leaves the state whole, so a panic elsewhere does not spoil it.
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the size of requests.
    pub(crate) fn sizes(&self) -> MutexGuard<'_, Sizes> {
        // As with the pacing.
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many retries are fair.
    pub(crate) fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        // As with the pacing.
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the destination has come back after it was away.
    pub(crate) fn returns(&self) -> u64 {
        self.pacing().returns
    }

    /// Whether an attempt may start now. Who is in a hurry (`urgent`), as there is no room or no time to wait, does not spare a destination that takes some of what it gets.
    pub(crate) fn turn(&self, now: Instant, urgent: bool) -> Turn {
        let mut pacing = self.pacing();
        match pacing.clock.next(now) {
            Turn::Go if !urgent => pacing.throttle.wait(now).map_or(Turn::Go, Turn::Wait),
            turn => turn,
        }
    }

    /// An attempt starts.
    pub(crate) fn starts(&self, now: Instant) {
        self.pacing().throttle.sent(now);
    }

    /// An attempt was refused by a destination that has too much to do.
    pub(crate) fn refused(&self, now: Instant) {
        self.pacing().throttle.refused(now);
    }

    /// A retryable failure of an attempt that began at `started`: pauses every lane, for at most `longest` unless the destination demands more.
    pub(crate) fn failed(
        &self,
        started: Instant,
        probe: bool,
        hint: Option<Duration>,
        longest: Duration,
        now: Instant,
    ) {
        {
            let mut pacing = self.pacing();
            pacing.demanded |= hint.is_some();
            pacing.failing_since.get_or_insert(now);
            let known = pacing.pause.filter(|pause| !probe && started <= pause.began);
            let delay = match (known, hint) {
                // An attempt of before the pause failed too: that is no news, unless the server asks for more time.
                (Some(_), hint) => hint.unwrap_or(Duration::ZERO),
                (None, hint) => {
                    let delay = pacing.backoff.failed(hint, unit_random());
                    if pacing.demanded { delay } else { delay.min(longest) }
                }
            };
            if known.is_none() || !delay.is_zero() {
                pacing.clock.failed(now, delay);
                let until = now + delay;
                let began = known.map_or(now, |pause| pause.began);
                let until = known.map_or(until, |pause| pause.until.max(until));
                pacing.pause = Some(Pause { began, until });
            }
        }
        self.wake_lanes();
    }

    /// As long as the caller keeps what is returned, all lanes are to keep their pauses short, and do not spare the destination.
    pub(crate) fn insist(self: &Arc<Self>, now: Instant) -> Hurry {
        self.hurried.fetch_add(1, Ordering::Relaxed);
        // Whoever is held back by nothing need not look.
        if self.pacing().throttle.wait(now).is_some() {
            self.wake_lanes();
        }
        Hurry(Arc::clone(self))
    }

    /// As [`insist`](Here::insist), and ends a pause that nobody demanded: a request may probe now. For a lane that has no time to wait.
    pub(crate) fn hurry(self: &Arc<Self>, now: Instant) -> Hurry {
        let hurry = self.insist(now);
        {
            let mut pacing = self.pacing();
            let demanded = pacing.demanded;
            let Some(pause) = pacing.pause.as_mut().filter(|pause| !demanded && pause.until > now) else {
                return hurry;
            };
            pause.until = now;
            pacing.clock = PauseClock::default();
            pacing.clock.failed(now, Duration::ZERO);
        }
        self.wake_lanes();
        hurry
    }

    /// Whether a lane, or somebody in front of it, has no time to wait.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed) > 0
    }

    /// An answer that shows that the destination works, to an attempt that began at `started`.
    pub(crate) fn answered(&self, started: Instant, probe: bool, now: Instant) {
        {
            let mut pacing = self.pacing();
            if !probe && pacing.pause.is_some_and(|pause| started <= pause.began) {
                return;
            }
            let failing_since = pacing.failing_since.take();
            if failing_since.is_some_and(|since| now.saturating_duration_since(since) >= AWAY) {
                pacing.returns += 1;
                pacing.throttle.returned(now);
            }
            pacing.throttle.taken(now);
            pacing.backoff.succeeded();
            pacing.demanded = false;
            if pacing.clock.is_open() {
                return;
            }
            pacing.clock.succeeded(now);
            if pacing.clock.is_open() {
                // A pause that began during the probe goes on.
                pacing.pause = None;
            }
        }
        self.wake_lanes();
    }

    /// A probe that ended without an answer (its lane was shut down): another may probe.
    pub(crate) fn probe_abandoned(&self) {
        self.pacing().clock.abandoned(Instant::now());
        self.wake_lanes();
    }

    /// How long the destination is paused from `now`; `None` when it is not.
    pub(crate) fn paused(&self, now: Instant) -> Option<Duration> {
        self.pacing().pause.map(|pause| pause.until.saturating_duration_since(now))
    }

    /// Whether requests are sent at `now`.
    pub(crate) fn breaker(&self, now: Instant) -> Breaker {
        let pacing = self.pacing();
        match (pacing.clock.is_open(), &pacing.pause) {
            (false, Some(pause)) if pause.until > now => Breaker::Open(pause.until - now),
            (false, _) => Breaker::HalfOpen,
            (true, _) => Breaker::Closed,
        }
    }

    fn wake_lanes(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }
}

/// A fifth of the first attempts may be retries, besides the probes that end pauses, which are free: in a storm the destination has to bear a fifth more than what
/// is new, and where one request in six fails each is still sent again at once.
fn retry_budget() -> RetryBudget {
    let mut config = BudgetConfig::default();
    config.ratio = 0.2;
    // One that is out of range is refused, which this one is not.
    RetryBudget::new(config).unwrap_or_default()
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here")
            .field("name", &self.name)
            .field("pacing", &self.pacing)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attempt;

    struct Nowhere;

    impl Exporter for Nowhere {
        fn send<'a>(&'a self, _request: &'a Request) -> Attempt<'a> {
            Box::pin(std::future::pending())
        }
    }

    /// Guards a destination that comes back: who is in no hurry meets it slowly, and it is told from one that failed for a moment.
    #[test]
    fn a_return_is_met_slowly() {
        let destination = Destination::new("sink", Nowhere, RetryPolicy::default());
        let here = destination.here().expect("it was made in this process");
        let mut now = Instant::now();
        let mut away_for = |time| {
            here.failed(now, true, None, Duration::ZERO, now);
            assert_eq!(here.turn(now, false), Turn::Probe);
            now += time;
            here.starts(now);
            here.answered(now, true, now);
            now
        };
        let now = away_for(AWAY / 2);
        assert_eq!((here.returns(), here.turn(now, false)), (0, Turn::Go), "a hiccup");
        let now = away_for(AWAY);
        assert_eq!((here.returns(), here.turn(now, false)), (1, Turn::Go));
        here.starts(now);
        assert!(matches!(here.turn(now, false), Turn::Wait(until) if until > now), "one after the other");
        assert_eq!(here.turn(now, true), Turn::Go, "who has no room or no time does not wait");
    }

    /// Guards who insists: pauses are short and nobody is spared for as long, and those that are held back look again.
    #[test]
    fn who_insists_wakes_the_lanes_that_are_held_back() {
        let destination = Destination::new("sink", Nowhere, RetryPolicy::default());
        let here = destination.here().expect("it was made in this process");
        let mut changes = here.changes();
        let woken = |changes: &mut watch::Receiver<u64>| {
            let woken = changes.has_changed().expect("the destination is there");
            changes.mark_unchanged();
            woken
        };
        let mut now = Instant::now();
        drop(here.insist(now));
        assert!(!woken(&mut changes), "nobody is held back");
        here.failed(now, true, None, Duration::ZERO, now);
        assert_eq!(here.turn(now, false), Turn::Probe);
        now += AWAY;
        here.answered(now, true, now);
        here.starts(now);
        woken(&mut changes);
        assert!(matches!(here.turn(now, here.is_hurried()), Turn::Wait(_)));
        let hurry = here.insist(now);
        assert!(woken(&mut changes));
        assert_eq!(here.turn(now, here.is_hurried()), Turn::Go);
        drop(hurry);
        assert!(matches!(here.turn(now, here.is_hurried()), Turn::Wait(_)));
    }

    /// The trap of a failure while another request probes: its pause goes on after the probe's answer, and ends with the answer of its own probe.
    #[test]
    fn a_pause_that_began_during_a_probe_ends() {
        let destination = Destination::new("sink", Nowhere, RetryPolicy::default());
        let here = destination.here().expect("it was made in this process");
        let fails = |now| {
            here.failed(now, false, None, Duration::MAX, now);
            match here.turn(now, false) {
                Turn::Wait(until) => until,
                turn => panic!("{turn:?} right after a failure"),
            }
        };
        let probed = fails(Instant::now());
        assert_eq!(here.turn(probed, false), Turn::Probe);
        let failed = probed + Duration::from_millis(1);
        let again = fails(failed);
        here.answered(probed, true, failed);
        assert_eq!(here.turn(failed, true), Turn::Wait(again));
        assert_eq!(here.breaker(failed), Breaker::Open(again - failed));
        assert_eq!(here.turn(again, true), Turn::Probe);
        here.answered(again, true, again);
        assert_eq!((here.turn(again, true), here.breaker(again)), (Turn::Go, Breaker::Closed));
    }
}
