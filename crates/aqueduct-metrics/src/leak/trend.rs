//! Floors of windows, and whether they rise.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::report::{Trend, Verdict};

/// What is asked of floors. Fewer of them rise by chance more easily, so more is asked.
struct Scale {
    /// How many windows are taken together, for cycles that are longer than one.
    together: usize,
    /// How steadily the floors must rise (Kendall's tau).
    order: f64,
    /// How many times the deviation of the floors from a line the whole rise must be.
    clear: f64,
}

const SCALES: [Scale; 3] = [
    Scale { together: 1, order: 0.7, clear: 5.0 },
    Scale { together: 2, order: 0.83, clear: 6.0 },
    Scale { together: 3, order: 1.0, clear: 15.0 },
];
/// The second half of the time must rise at least at this share of the slope of the first half: what warms up does not.
const LASTING: f64 = 0.5;

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
        let span = end - begin + minutes;
        let enough = floors.len() * 10 >= self.keep * 9 && span >= self.keep as f64 * minutes * 0.9;
        let (per_minute, order) = slope_and_order(&floors);
        let found = Trend {
            verdict: Verdict::Steady,
            per_minute,
            order,
            minutes: span,
            first: first as u64,
            last: last as u64,
        };
        if !enough {
            return Trend { verdict: Verdict::TooEarly, ..found };
        }
        let mut best = found;
        for Scale { together, order: least_order, clear } in SCALES {
            // From the newest on, so that what is left over is old.
            let mut lowest: Vec<_> = floors.rchunks_exact(together).map(lowest_of).collect();
            lowest.reverse();
            let (per_minute, order) = slope_and_order(&lowest);
            if per_minute < limits.per_minute || order < least_order || !is_clear(&lowest, per_minute, clear)
            {
                continue;
            }
            let lasts = lasts(&lowest, limits.per_minute);
            let verdict = if lasts { Verdict::Leaking } else { Verdict::Fading };
            best = Trend { verdict, per_minute, order, ..found };
            if lasts {
                break;
            }
        }
        best
    }
}

/// The lowest of some floors, at the middle of their times.
fn lowest_of(floors: &[(f64, f64)]) -> (f64, f64) {
    let times = floors.iter().map(|floor| floor.0).sum::<f64>() / floors.len() as f64;
    (times, floors.iter().map(|floor| floor.1).fold(f64::INFINITY, f64::min))
}

/// The median of the slopes of all pairs, and the share of rising pairs less that of falling ones.
fn slope_and_order(floors: &[(f64, f64)]) -> (f64, f64) {
    let slopes: Vec<_> = floors
        .iter()
        .enumerate()
        .flat_map(|(index, from)| floors[index + 1..].iter().map(move |to| (to.1 - from.1) / (to.0 - from.0)))
        .collect();
    if slopes.is_empty() {
        return (0.0, 0.0);
    }
    let rising = slopes.iter().filter(|slope| **slope > 0.0).count() as f64;
    let falling = slopes.iter().filter(|slope| **slope < 0.0).count() as f64;
    let order = (rising - falling) / slopes.len() as f64;
    (median(slopes), order)
}

/// Zero of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values[..] {
        [] => 0.0,
        _ if values.len() % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Whether the rise stands out from how far floors are from a line of this slope.
fn is_clear(floors: &[(f64, f64)], per_minute: f64, times: f64) -> bool {
    let beside: Vec<_> = floors.iter().map(|(at, floor)| floor - per_minute * at).collect();
    let middle = median(beside.clone());
    let distances = beside.iter().map(|floor| (floor - middle).abs());
    // The median distance is 0.67 deviations of what is normally distributed, but that of few floors is small by chance.
    let deviation = 1.483 * median(distances.clone().collect());
    let deviation = if floors.len() < 12 { distances.fold(deviation, f64::max) } else { deviation };
    let span = floors.last().zip(floors.first()).map_or(0.0, |(last, first)| last.0 - first.0);
    per_minute * span >= times * deviation
}

/// Whether floors that rise on the whole do so to the end.
fn lasts(floors: &[(f64, f64)], limit: f64) -> bool {
    let (early, late) = floors.split_at(floors.len() / 2);
    let (early, late) = (slope_and_order(early).0, slope_and_order(late).0);
    late >= limit && late >= LASTING * early && early >= LASTING * limit
}
