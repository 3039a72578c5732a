//! When the next spans are due.

use std::thread;
use std::time::{Duration, Instant};

use super::job::Job;
use crate::Failure;

/// When spans are ended: every so often, as many as are due.
const TICK: Duration = Duration::from_millis(1);

/// A steady rate, asked at any time how many are due.
///
/// An application does not make up for time in which it had no core: what was due then did not happen. Otherwise a busy machine
/// would turn a rate into bursts, and a small queue would lose to the machine.
#[derive(Clone, Debug)]
pub struct Pace {
    rate: f64,
    /// Due so far, whether or not they happened.
    passed: u64,
}

/// The longest time that is made up for.
const MADE_UP_FOR: f64 = 0.01;

impl Pace {
    /// So many a second.
    #[must_use]
    pub fn new(rate: f64) -> Pace {
        Pace { rate, passed: 0 }
    }

    /// How many are due at this time since the beginning, those before not counted; at most those of 10 ms, and always one.
    pub fn due(&mut self, elapsed: Duration) -> u64 {
        let passed = (elapsed.as_secs_f64() * self.rate) as u64;
        let due = passed.saturating_sub(self.passed);
        self.passed = self.passed.max(passed);
        due.min((self.rate * MADE_UP_FOR).max(1.0) as u64)
    }
}

/// Says that the application has started, and asks for as many spans as are due until the time of its job is over.
pub(super) fn keep(job: &Job, mut end: impl FnMut(u64) -> Result<(), Failure>) -> Result<(), Failure> {
    super::say(&"started")?;
    let (start, seconds) = (Instant::now(), Duration::from_secs_f64(job.seconds));
    let mut pace = Pace::new(job.rate);
    while start.elapsed() < seconds {
        end(pace.due(start.elapsed()))?;
        thread::sleep(TICK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the rate: whoever asks often gets all, whoever asks seldom gets no burst.
    #[test]
    fn a_rate_without_bursts() {
        let mut pace = Pace::new(20_000.0);
        let often: u64 = (1..=1000).map(|tick| pace.due(Duration::from_millis(tick))).sum();
        assert_eq!(often, 20_000);
        assert_eq!(pace.due(Duration::from_secs(2)), 200, "a second without a core is not made up for");
        assert_eq!(pace.due(Duration::from_millis(2_001)), 20);
        assert_eq!(pace.due(Duration::from_millis(1_500)), 0, "time that goes back brings nothing");
    }

    /// Guards slow rates: one at a time, not none.
    #[test]
    fn slow_rates_come_one_by_one() {
        let mut pace = Pace::new(5.0);
        let all: u64 = (1..=10_000).map(|tick| pace.due(Duration::from_millis(tick))).sum();
        assert_eq!(all, 50);
    }
}
