//! How many bytes a lane may hold, and how fast it gets rid of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest advice to a refused client: less would make it spin.
const MIN_RETRY_AFTER: Duration = Duration::from_millis(100);
/// The longest: past this a client should find out for itself.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// The advice while nothing has been delivered yet, so that no rate is known.
const UNKNOWN_RETRY_AFTER: Duration = Duration::from_secs(1);
/// The drain rate is averaged over about this long.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// What waits no longer than this is not worth compressing to be kept.
const SOON: Duration = Duration::from_secs(1);

/// Who waits for room under pressure waits no longer than this, and a quick destination that took nothing for so long is
/// taken to be away; a slow one is given twice the time between its last two answers, up to [`MOST_PATIENCE`]. Well below the 10 s after which clients give up (`OTEL_EXPORTER_OTLP_TIMEOUT`).
pub(crate) const LONGEST_HOLD: Duration = Duration::from_millis(500);
/// See [`LONGEST_HOLD`].
const MOST_PATIENCE: Duration = Duration::from_secs(5);

/// A byte budget with a gauge of its drain rate.
///
/// `held` is a plain counter: it orders nothing but itself, so every access is relaxed.
#[derive(Debug)]
pub(crate) struct Budget {
    /// May change at any time; what is held stays.
    limit: AtomicU64,
    /// Bytes reserved now; written by every intake and by the lane.
    held: AtomicU64,
    drain: Mutex<Drain>,
    /// Threads that wait for room. Who gives bytes back looks here after it has, who waits tries to reserve after it has entered itself: with a fence in between
    /// on both sides, one of them sees the other.
    waiting: AtomicUsize,
    gate: Mutex<()>,
    room: Condvar,
}

#[derive(Debug)]
struct Drain {
    since: Option<Instant>,
    /// When bytes last left, and how long before that the time before last.
    last: Option<Instant>,
    gap: Duration,
    bytes: u64,
    /// Bytes a second over the last full window; zero before the first.
    rate: f64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            held: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            gate: Mutex::new(()),
            room: Condvar::new(),
            drain: Mutex::new(Drain { since: None, last: None, gap: Duration::ZERO, bytes: 0, rate: 0.0 }),
        }
    }

    /// Takes `bytes` out of the budget, or nothing at all.
    ///
    /// A single chunk larger than the whole budget is admitted into an empty one: it could never be admitted
    /// otherwise, and its size is bounded by whoever received it.
    pub(crate) fn try_reserve(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let more = |held: u64| {
            let after = held.saturating_add(bytes);
            (held == 0 || after <= limit).then_some(after)
        };
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Whether so many more fit.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.held().saturating_add(bytes) <= self.limit()
    }

    /// Takes `bytes` that are there already, whether or not they fit.
    pub(crate) fn charge(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives bytes back that were not delivered (a refusal elsewhere, a drop).
    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // With the lock, so that nobody is between trying and waiting.
            drop(self.gate.lock());
            self.room.notify_all();
        }
    }

    /// As [`try_reserve`](Self::try_reserve), waiting for room until the deadline.
    pub(crate) fn reserve_by(&self, bytes: u64, deadline: Instant) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = loop {
            if self.try_reserve(bytes) {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            gate = self.room.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(gate);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        reserved
    }

    /// Lets the drain rate know of bytes that left.
    pub(crate) fn note_drained(&self, bytes: u64, now: Instant) {
        let Ok(mut drain) = self.drain.lock() else { return };
        let since = *drain.since.get_or_insert(now);
        drain.gap = drain.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        drain.last = Some(now);
        drain.bytes += bytes;
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= RATE_WINDOW || drain.rate == 0.0 && !elapsed.is_zero() {
            drain.rate = drain.bytes as f64 / elapsed.as_secs_f64();
            drain.since = Some(now);
            drain.bytes = 0;
        }
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
        // Who waits looks again.
        self.release(0);
    }

    pub(crate) fn exceeds_percent(&self, percent: u8) -> bool {
        self.held() > self.limit() / 100 * u64::from(percent)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.held() >= self.limit() / 100 * 95
    }

    pub(crate) fn is_half_full(&self) -> bool {
        self.held() > self.limit() / 2
    }

    /// Whether bytes have left a moment ago, so that room is worth waiting for. A destination that takes nothing is not waited for.
    pub(crate) fn has_drained_lately(&self, now: Instant) -> bool {
        self.drain.lock().is_ok_and(|mut drain| {
            // Before anything has left, the destination gets the benefit of the doubt once.
            let last = *drain.last.get_or_insert(now);
            let patience = LONGEST_HOLD.max(2 * drain.gap).min(MOST_PATIENCE);
            now.saturating_duration_since(last) < patience
        })
    }

    /// Whether what is held now will have left soon, if the destination goes on as it does. One that was not heard of yet gets the benefit of the doubt.
    pub(crate) fn empties_soon(&self, now: Instant) -> bool {
        let rate = self.drain.lock().map_or(0.0, |drain| drain.rate);
        (rate == 0.0 || self.held() as f64 <= rate * SOON.as_secs_f64()) && self.has_drained_lately(now)
    }

    /// When a client that was refused `bytes` should come back: the time in which, at the measured drain rate, a
    /// tenth of the budget (or the request, if larger) becomes free.
    pub(crate) fn retry_after(&self, bytes: u64) -> Duration {
        let rate = self.drain.lock().map_or(0.0, |drain| drain.rate);
        if rate <= 0.0 {
            return UNKNOWN_RETRY_AFTER;
        }
        let wanted = bytes.max(self.limit() / 10) as f64;
        Duration::try_from_secs_f64(wanted / rate)
            .unwrap_or(MAX_RETRY_AFTER)
            .clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Budget {
        /// Bytes that left are given back.
        fn drained(&self, bytes: u64, now: Instant) {
            self.note_drained(bytes, now);
            self.release(bytes);
        }
    }

    #[test]
    fn a_reservation_past_the_limit_takes_nothing() {
        let budget = Budget::new(100);
        assert!(budget.try_reserve(60));
        assert!(!budget.try_reserve(41));
        assert_eq!(budget.held(), 60);
        assert!(budget.try_reserve(40));
        budget.release(100);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_chunk_larger_than_the_budget_passes_when_nothing_else_is_held() {
        let budget = Budget::new(100);
        assert!(budget.try_reserve(1_000));
        assert!(!budget.try_reserve(1));
        budget.release(1_000);
        assert!(budget.try_reserve(1));
    }

    #[test]
    fn the_advice_follows_the_drain_rate() {
        let budget = Budget::new(1_000_000);
        assert_eq!(budget.retry_after(10), UNKNOWN_RETRY_AFTER);
        let start = Instant::now();
        assert!(budget.try_reserve(900_000));
        budget.drained(1, start);
        // 500,000 bytes in a second: a tenth of the budget takes 200 ms.
        budget.drained(499_999, start + Duration::from_secs(1));
        assert_eq!(budget.retry_after(10), Duration::from_millis(200));
        // A request larger than a tenth of the budget waits for its own size.
        assert_eq!(budget.retry_after(500_000), Duration::from_secs(1));
    }

    /// Guards that pressure begins at half of the budget, and only while the destination takes something.
    #[test]
    fn pressure_is_for_destinations_that_answer() {
        let budget = Budget::new(1_000);
        let pressed = |now| budget.is_half_full() && budget.has_drained_lately(now);
        let start = Instant::now();
        assert!(budget.try_reserve(600));
        assert!(pressed(start), "a new destination is given time to answer");
        assert!(!pressed(start + LONGEST_HOLD), "but not for ever");
        let later = start + LONGEST_HOLD / 4;
        budget.drained(50, later);
        assert!(pressed(later));
        assert!(!pressed(later + LONGEST_HOLD), "nothing leaves any more");
        budget.drained(51, later);
        assert!(!pressed(later), "there is room");
        assert!(budget.try_reserve(400));
        budget.drained(1, later + Duration::from_secs(2));
        let slow = later + Duration::from_secs(2);
        assert!(pressed(slow + Duration::from_secs(3)), "it answers, if slowly");
        assert!(!pressed(slow + Duration::from_secs(5)), "now it is away");
    }

    /// Guards the CPU time of those whose destination is quick: what leaves within a second is not compressed to be kept until then.
    #[test]
    fn a_quick_destination_empties_it_soon() {
        let budget = Budget::new(1_000);
        let start = Instant::now();
        assert!(budget.try_reserve(1_000));
        assert!(budget.empties_soon(start), "a new destination is given time to answer");
        assert!(!budget.empties_soon(start + LONGEST_HOLD), "but not for ever");
        budget.drained(0, start);
        let later = start + Duration::from_millis(100);
        budget.drained(100, later);
        assert!(budget.empties_soon(later), "900 bytes at 1,000 a second");
        budget.charge(200);
        assert!(!budget.empties_soon(later), "1,100 bytes");
        budget.release(200);
        assert!(!budget.empties_soon(later + LONGEST_HOLD), "nothing leaves any more");
    }

    #[test]
    fn the_advice_is_clamped() {
        let budget = Budget::new(1_000);
        let start = Instant::now();
        assert!(budget.try_reserve(1_000));
        budget.drained(1, start);
        budget.drained(1, start + Duration::from_secs(100));
        assert_eq!(budget.retry_after(10), MAX_RETRY_AFTER);
    }
}
