//! Floors of windows, and whether they rise.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::report::{Trend, Verdict};

/// Kendall's tau from which the order counts as rising: with 16 windows, chance alone gets there once in a hundred thousand times.
const ORDER: f64 = 0.75;

/// From which slope on growth is a leak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) per_minute: f64,
}

impl Limits {
    pub(super) fn set(&mut self, per_minute: f64) {
        if per_minute.is_finite() && per_minute > 0.0 {
            self.per_minute = per_minute;
        }
    }
}

/// The smallest reading of each of the last windows.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    length: Duration,
    keep: usize,
    begin: Option<Instant>,
    last: Option<Instant>,
    /// The window that is open: its number, and its smallest reading.
    open: Option<(u64, u64)>,
    /// Those that are complete, oldest first. Windows without a reading are missing.
    floors: VecDeque<(u64, u64)>,
}

impl Windows {
    pub(super) fn new(length: Duration, keep: usize) -> Self {
        Windows { length, keep, begin: None, last: None, open: None, floors: VecDeque::new() }
    }

    pub(super) fn observe(&mut self, now: Instant, reading: u64) {
        let begin = *self.begin.get_or_insert(now);
        let now = self.last.map_or(now, |last| last.max(now));
        self.last = Some(now);
        let number = now.saturating_duration_since(begin).as_nanos() / self.length.as_nanos().max(1);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        match &mut self.open {
            Some((open, floor)) if *open == number => *floor = (*floor).min(reading),
            open => {
                if let Some(complete) = open.replace((number, reading)) {
                    self.floors.push_back(complete);
                }
                // Also after a gap: what is older than the horizon does not count.
                let oldest = number.saturating_sub(self.keep as u64);
                while self.floors.front().is_some_and(|(floor, _)| *floor < oldest) {
                    self.floors.pop_front();
                }
            }
        }
    }

    pub(super) fn judge(&self, limits: Limits) -> Trend {
        let minutes = self.length.as_secs_f64() / 60.0;
        let floors: Vec<_> =
            self.floors.iter().map(|(number, floor)| (*number as f64 * minutes, *floor as f64)).collect();
        let (Some(&(begin, first)), Some(&(end, last))) = (floors.first(), floors.last()) else {
            return Trend::default();
        };
        let (slope, order) = slope_and_order(&floors);
        let span = end - begin + minutes;
        let horizon = self.keep as f64 * minutes;
        // With fewer floors than that, thirds have less than three.
        let enough = floors.len() >= 9 && floors.len() * 10 >= self.keep * 9 && span >= horizon * 0.9;
        let verdict = if !enough {
            Verdict::TooEarly
        } else if slope < limits.per_minute || order < ORDER {
            Verdict::Steady
        } else {
            rise(&floors, limits.per_minute)
        };
        Trend { verdict, per_minute: slope, order, minutes: span, first: first as u64, last: last as u64 }
    }
}

/// The median of the slopes of all pairs, and the share of rising pairs less that of falling ones.
fn slope_and_order(floors: &[(f64, f64)]) -> (f64, f64) {
    let mut slopes: Vec<_> = floors
        .iter()
        .enumerate()
        .flat_map(|(index, from)| floors[index + 1..].iter().map(move |to| (to.1 - from.1) / (to.0 - from.0)))
        .collect();
    if slopes.is_empty() {
        return (0.0, 0.0);
    }
    slopes.sort_by(f64::total_cmp);
    let rising = slopes.iter().filter(|slope| **slope > 0.0).count() as f64;
    let falling = slopes.iter().filter(|slope| **slope < 0.0).count() as f64;
    let middle = slopes.len() / 2;
    let median =
        if slopes.len() % 2 == 1 { slopes[middle] } else { (slopes[middle - 1] + slopes[middle]) / 2.0 };
    (median, (rising - falling) / slopes.len() as f64)
}

/// Whether floors that rise on the whole do so to the end.
fn rise(floors: &[(f64, f64)], per_minute: f64) -> Verdict {
    let third = floors.len() / 3;
    let parts = [&floors[..third], &floors[third..2 * third], &floors[floors.len() - third..]];
    let lowest = parts.map(|part| part.iter().map(|floor| floor.1).fold(f64::INFINITY, f64::min));
    let (early, late) = (lowest[1] - lowest[0], lowest[2] - lowest[1]);
    // A third of the time at half of the slope that counts as a leak.
    let least = 0.5 * per_minute * (floors[2 * third].0 - floors[third].0);
    if early < least || late < 0.25 * least {
        Verdict::Steady
    } else if late < least || late < 0.6 * early {
        Verdict::Fading
    } else {
        Verdict::Leaking
    }
}
