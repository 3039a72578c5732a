//! The values of one key that are admitted, and how others come in.

use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use aqueduct_lockfree::HashMap;
use aqueduct_lockfree::map::Guard;
use rand::Rng;

use super::KeyStats;
use super::sketch::Sketch;
use crate::random;

/// The sketch counts this many hashes for each value that is allowed, so it misses an eighth of what comes, divided by the values: of a long tail (Zipf) the
/// place that is the last one allowed has about as much.
const COUNTED: usize = 16;

/// Up to here uses are counted one by one, beyond it one in sixteen as sixteen: a value that all threads use must not keep their cores writing the same line.
const EXACT: u64 = 64;
const STEP: u32 = 16;

pub(super) struct Table {
    /// Grows and shrinks under the lock of `control` only.
    admitted: HashMap<Arc<str>, Uses>,
    /// Places that are neither taken nor reserved. Written under the lock of `control`; read without it as a hint whether waiting for it is worth it.
    free: AtomicUsize,
    control: Mutex<Control>,
}

/// How often a value came in this window, about. A plain counter: set to zero between windows, and what is added meanwhile may be lost.
#[derive(Default)]
struct Uses(AtomicU64);

/// What only values that are not admitted touch.
struct Control {
    sketch: Sketch,
    /// Hashes of values that have a place as soon as they come.
    reserved: HashSet<u64>,
    since: Instant,
    displaced: u64,
    windows: u64,
}

impl Table {
    pub(super) fn new(max_values: usize, now: Instant) -> Self {
        Table {
            admitted: HashMap::new(),
            free: AtomicUsize::new(max_values),
            control: Mutex::new(Control {
                sketch: Sketch::new(max_values.saturating_mul(COUNTED)),
                reserved: HashSet::new(),
                since: now,
                displaced: 0,
                windows: 0,
            }),
        }
    }

    /// One for a forked child, with the same values, whose uses count for both. Takes no lock of this one: another thread may have had it, and nobody would open it.
    pub(super) fn of_child(&self, max_values: usize, now: Instant) -> Self {
        let (guard, child) = (Guard::pin(), Table::new(max_values, now));
        // A thread that was adding one may have left it half counted, so they are counted again.
        for (text, uses) in self.admitted.iter(&guard).take(max_values) {
            child.admitted.insert(
                Arc::clone(text),
                Uses(AtomicU64::new(uses.0.load(Ordering::Relaxed))),
                &guard,
            );
        }
        child.free.store(max_values - child.admitted.len(), Ordering::Relaxed);
        child
    }

    /// Whether the value may pass, and if so, counts that it was used.
    #[inline]
    pub(super) fn is_admitted(&self, value: &str) -> bool {
        self.admitted.get_with(value, Uses::count).is_some()
    }

    /// Admits a value that is not, if there is room for it. If not, it is counted.
    #[cold]
    pub(super) fn admit(&self, value: &str, now: Instant, window: Duration) -> bool {
        let Some(mut control) = self.control() else { return false };
        if now.saturating_duration_since(control.since) >= window {
            control.since = now;
            control.windows += 1;
            self.turn(&mut control);
        }
        // Another thread may have been first.
        if self.is_admitted(value) {
            return true;
        }
        let hash = self.admitted.hasher().hash_one(value);
        let free = self.free.load(Ordering::Relaxed);
        if !control.reserved.remove(&hash) {
            if free == 0 {
                control.sketch.count(hash);
                return false;
            }
            self.free.store(free - 1, Ordering::Relaxed);
        }
        self.admitted.insert(value.into(), Uses(AtomicU64::new(1)), &Guard::pin());
        true
    }

    /// Gives places of values that are used little to hashes that overflowed often.
    fn turn(&self, control: &mut Control) {
        let guard = Guard::pin();
        // What was reserved and did not come has no claim any more.
        let unclaimed = control.reserved.len();
        control.reserved.clear();
        let mut free = self.free.load(Ordering::Relaxed) + unclaimed;
        let uses = self.admitted.iter(&guard);
        let mut light: Vec<(u64, Arc<str>)> = uses.map(|(text, uses)| (uses.take(), text.clone())).collect();
        light.sort_unstable_by_key(|(uses, _)| *uses);
        let mut light = light.into_iter();
        for (hash, count) in control.sketch.take() {
            if free > 0 {
                free -= 1;
            } else {
                match light.next() {
                    Some((uses, text)) if count / 2 > uses => {
                        self.admitted.remove(&*text, &guard);
                        control.displaced += 1;
                    }
                    _ => break,
                }
            }
            control.reserved.insert(hash);
        }
        self.free.store(free, Ordering::Relaxed);
    }

    /// Waits for it only if there is room: otherwise a value that is not counted is no loss.
    fn control(&self) -> Option<MutexGuard<'_, Control>> {
        if self.free.load(Ordering::Relaxed) > 0 {
            // Nothing in it is half done when a panic could happen.
            return Some(self.control.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match self.control.try_lock() {
            Ok(control) => Some(control),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn stats(&self, key: &str) -> KeyStats {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        KeyStats {
            key: key.to_owned(),
            admitted: self.admitted.len(),
            displaced: control.displaced,
            windows: control.windows,
        }
    }
}

impl Uses {
    #[inline]
    fn count(&self) {
        if self.0.load(Ordering::Relaxed) < EXACT {
            self.0.fetch_add(1, Ordering::Relaxed);
        } else if random::with(Rng::next_u32).is_multiple_of(STEP) {
            self.0.fetch_add(u64::from(STEP), Ordering::Relaxed);
        }
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("admitted", &self.admitted.len()).finish_non_exhaustive()
    }
}
