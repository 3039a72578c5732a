//! What the sink does with each request: a schedule without I/O, the same for the same seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::Random;

/// How a sink behaves. The default takes everything at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// Of the random numbers.
    pub seed: u64,
    /// From when to when nobody listens, in seconds since the beginning. Connections that are open then are closed.
    pub down: Option<(f64, f64)>,
    /// every so-manieth request is answered UNAVAILABLE; 0 for none.
    pub refuse_every: u64,
    /// How long each request that is taken waits for its answer, in milliseconds.
    pub answer_after_ms: u64,
    /// Share of the requests, from 0 to 1, that meet one of [`FAULTS`], which take turns.
    pub faulty: f64,
    /// From which second on how many requests a second are taken, in this order; others are answered UNAVAILABLE. No entry, no
    /// limit.
    pub capacity: Vec<(f64, f64)>,
}

/// What is done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Taken, and answered after so long.
    Take(Duration),
    /// Not taken: UNAVAILABLE, without a word on when to come back.
    Unavailable,
    /// Not taken: RESOURCE_EXHAUSTED with a `RetryInfo` of so long.
    Exhausted(Duration),
    /// Not taken: HTTP status 503 with a `Retry-After` of so many seconds, as from a proxy in between.
    ServiceUnavailable(Duration),
    /// Taken, and never answered.
    Swallow,
    /// Taken, and soon after, within the body of another request, the connection is reset.
    ResetLater,
    /// Not taken: all connections are closed and nobody listens for so long.
    Down(Duration),
    /// Taken, and the client is told to go elsewhere: GOAWAY, in HTTP/1.1 `Connection: close`.
    GoAway,
}

/// The faults that take turns.
pub const FAULTS: [Act; 8] = [
    Act::Unavailable,
    Act::Down(Duration::from_millis(300)),
    Act::Swallow,
    Act::Exhausted(Duration::from_millis(200)),
    Act::ResetLater,
    Act::ServiceUnavailable(Duration::from_secs(1)),
    Act::GoAway,
    Act::Take(Duration::from_secs(1)),
];

impl Act {
    /// Whether the sink has the spans afterwards.
    #[must_use]
    pub fn takes(self) -> bool {
        matches!(self, Act::Take(_) | Act::Swallow | Act::ResetLater | Act::GoAway)
    }

    /// What it is called in a tally; none for a request that is taken and answered at once.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Act::Take(Duration::ZERO) => return None,
            Act::Take(_) => "answered late",
            Act::Unavailable => "UNAVAILABLE",
            Act::Exhausted(_) => "RESOURCE_EXHAUSTED with RetryInfo",
            Act::ServiceUnavailable(_) => "503 with Retry-After",
            Act::Swallow => "taken and never answered",
            Act::ResetLater => "reset within a body",
            Act::Down(_) => "connections refused",
            Act::GoAway => "GOAWAY",
        })
    }
}

/// Decides, request by request, what a [`Script`] means.
#[derive(Clone, Debug)]
pub struct Director {
    script: Script,
    random: Random,
    requests: u64,
    faults: usize,
    /// Of the capacity: what may be taken at once, and when that was so.
    tokens: f64,
    filled: Duration,
}

/// A capacity that was not used is there for so long, in seconds.
const SAVED: f64 = 0.1;

impl Director {
    /// At the beginning.
    #[must_use]
    pub fn new(script: Script) -> Director {
        let random = Random::new(script.seed);
        Director { script, random, requests: 0, faults: 0, tokens: 0.0, filled: Duration::ZERO }
    }

    /// What to do with the request that is there now, so long after the beginning.
    pub fn next(&mut self, at: Duration) -> Act {
        self.requests += 1;
        if !self.has_capacity(at) {
            return Act::Unavailable;
        }
        let every = self.script.refuse_every;
        if every > 0 && self.requests.is_multiple_of(every) {
            return Act::Unavailable;
        }
        // Drawn for each request, so that the same requests are faulty whatever share of them is.
        if self.random.unit() < self.script.faulty {
            self.faults += 1;
            return FAULTS[(self.faults - 1) % FAULTS.len()];
        }
        Act::Take(Duration::from_millis(self.script.answer_after_ms))
    }

    /// A bucket that fills at the rate of the moment.
    fn has_capacity(&mut self, at: Duration) -> bool {
        let rates = self.script.capacity.iter().rev();
        let Some((_, rate)) = rates.copied().find(|(from, _)| at.as_secs_f64() >= *from) else { return true };
        let passed = at.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(at);
        self.tokens = (self.tokens + passed * rate).min((rate * SAVED).max(1.0));
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Act = Act::Take(Duration::ZERO);

    fn acts(script: &Script, requests: u64) -> Vec<Act> {
        let mut director = Director::new(script.clone());
        (0..requests).map(|_| director.next(Duration::ZERO)).collect()
    }

    /// Guards the simple schedules: nothing happens by default, each fifth refused is each fifth.
    #[test]
    fn schedules_are_kept() {
        assert!(acts(&Script::default(), 1000).iter().all(|act| *act == NOW));
        let refused = acts(&Script { refuse_every: 5, ..Script::default() }, 20);
        let places: Vec<_> = (1..=20).filter(|place| refused[place - 1] == Act::Unavailable).collect();
        assert_eq!(places, [5, 10, 15, 20]);
        let late = acts(&Script { answer_after_ms: 50, ..Script::default() }, 2);
        assert_eq!(late, [Act::Take(Duration::from_millis(50)); 2]);
    }

    /// Guards the mix: the share that was asked for, every kind as often as any other, the same for the same seed only.
    #[test]
    fn faults_take_turns() {
        let script = Script { seed: 7, faulty: 0.05, ..Script::default() };
        let acts = acts(&script, 20_000);
        let faults: Vec<_> = acts.iter().copied().filter(|act| *act != NOW).collect();
        assert!((900..1100).contains(&faults.len()), "{} of 20,000", faults.len());
        for kind in FAULTS {
            let count = faults.iter().filter(|fault| **fault == kind).count();
            assert!(count.abs_diff(faults.len() / FAULTS.len()) <= 1, "{kind:?}: {count}");
            assert!(kind.name().is_some(), "{kind:?} has a name in a tally");
        }
        assert_eq!(super::tests::acts(&script, 20_000), acts);
        assert_ne!(super::tests::acts(&Script { seed: 8, ..script }, 20_000), acts);
    }

    /// Guards the capacity: what comes within it is taken, what comes beyond it is not, and it changes when it should.
    #[test]
    fn capacity_is_a_rate() {
        let script = Script { capacity: vec![(0.0, 100.0), (10.0, 50.0)], ..Script::default() };
        let mut director = Director::new(script);
        // 200 requests a second for twenty seconds.
        let mut taken = [0; 20];
        for request in 1..=4000 {
            let at = Duration::from_millis(5 * request);
            if director.next(at) == NOW {
                taken[(at.as_secs() as usize).min(19)] += 1;
            }
        }
        for (second, taken) in taken.into_iter().enumerate() {
            let rate: u64 = if second < 10 { 100 } else { 50 };
            assert!(rate.abs_diff(taken) <= 2, "{taken} in second {second}");
        }
    }

    /// Guards against a pause that is paid back as a flood: what was not used is not saved for long.
    #[test]
    fn unused_capacity_is_lost() {
        let mut director = Director::new(Script { capacity: vec![(0.0, 100.0)], ..Script::default() });
        let at = Duration::from_secs(30);
        let taken = (0..1000).filter(|_| director.next(at) == NOW).count();
        assert_eq!(taken, 10);
    }
}
