//! What has a floor: operations by their names, in a table of fixed size.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::balance::Floor;
use super::threshold;
use crate::Threshold;

/// Places that a name may be in.
const PROBES: usize = 8;
/// An operation that was not seen for so many seconds loses its place.
const IDLE: f64 = 10.0;
/// The time that a rate is an average over, in seconds.
const MEMORY: f64 = 2.0;

/// A table of operations by a hash of their names. Decisions enter names and count; ticks measure, set thresholds and remove.
///
/// Two names of one hash share a place and its floor. Two threads that enter a name at once may give it two places; each then counts a part, and
/// the floor is kept twice until one of them idles. A count that comes for a place that just changed hands is counted for the new name.
#[derive(Debug)]
pub(super) struct Operations {
    places: Box<[Place]>,
    rates: Mutex<Box<[Rate]>>,
}

#[derive(Debug, Default)]
struct Place {
    /// The hash of the name, 0 of none. Set by decisions, from 0 only; cleared by ticks.
    key: AtomicU64,
    /// Roots since the last tick.
    roots: AtomicU64,
    /// The value of the threshold; 0, which keeps everything, until the first tick after the name was entered.
    threshold: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    per_second: f64,
    /// Seconds that the rate is known for.
    known: f64,
    idle: f64,
}

impl Operations {
    pub(super) fn new(places: usize) -> Self {
        let places: Box<[Place]> = (0..places).map(|_| Place::default()).collect();
        let rates = Mutex::new(vec![Rate::default(); places.len()].into());
        Operations { places, rates }
    }

    /// Counts a root of this name. `None` if there is no place for it.
    pub(super) fn threshold(&self, name: &str) -> Option<Threshold> {
        let key = hash(name);
        let first = (key % self.places.len() as u64) as usize;
        let places = || {
            (0..PROBES.min(self.places.len())).map(|step| &self.places[(first + step) % self.places.len()])
        };
        let place = places().find(|place| place.key.load(Ordering::Relaxed) == key).or_else(|| {
            // All accesses are relaxed: what is in a place is right for whichever name has it, to within a tick.
            places().find(|place| {
                match place.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => true,
                    Err(present) => present == key,
                }
            })
        })?;
        place.roots.fetch_add(1, Ordering::Relaxed);
        Threshold::new(place.threshold.load(Ordering::Relaxed))
    }

    /// Takes what was counted in so many seconds into the rates, and lets go of what was not seen for long.
    pub(super) fn measure(&self, seconds: f64) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, rate) in self.places.iter().zip(rates.iter_mut()) {
            if place.key.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let roots = place.roots.swap(0, Ordering::Relaxed);
            rate.idle = if roots == 0 { rate.idle + seconds } else { 0.0 };
            if rate.idle > IDLE {
                *rate = Rate::default();
                place.threshold.store(0, Ordering::Relaxed);
                place.key.store(0, Ordering::Relaxed);
                continue;
            }
            // A plain average at first, one with a memory later.
            rate.known = (rate.known + seconds).min(MEMORY);
            let weight = (seconds / rate.known).min(1.0);
            rate.per_second += weight * (roots as f64 / seconds - rate.per_second);
        }
    }

    /// Each operation's share of so many roots a second, and the probability that this floor (roots a second) asks for.
    pub(super) fn shares(&self, floor: f64, roots: f64) -> Vec<Floor> {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        // There may be more roots than have a place, and not fewer.
        let all = rates.iter().map(|rate| rate.per_second).sum::<f64>().max(roots);
        let seen = rates.iter().filter(|rate| rate.per_second > 0.0);
        seen.map(|rate| Floor { share: rate.per_second / all, probability: least(floor, rate) }).collect()
    }

    pub(super) fn set_thresholds(&self, floor: f64) {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, rate) in self.places.iter().zip(rates.iter()) {
            place.threshold.store(threshold(least(floor, rate)).value(), Ordering::Relaxed);
        }
    }
}

fn least(floor: f64, rate: &Rate) -> f64 {
    if rate.per_second > floor { floor / rate.per_second } else { 1.0 }
}

/// Multiplies and folds eight bytes at a time. Never 0.
fn hash(name: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let state =
        words.iter().fold(name.len() as u64 ^ FACTOR, |state, word| mix(state, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(mix(state, last), FACTOR).max(1)
}
