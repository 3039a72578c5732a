//! A share of the CPU as a target: how much is sampled follows from it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::snapshot::sane;

/// Shorter windows are joined: the scheduler's accounts are coarse.
const SHORTEST: Duration = Duration::from_millis(50);
/// Windows that are looked at together, at most.
const MOST: usize = 24;
/// Windows that a movement down needs at least, and one up.
const LEAST: (usize, usize) = (2, 3);
/// What is aimed at, as a share of the target: noise above it is not past the target yet.
const AIM: f64 = 0.97;
/// Below this share of the target there is room for more.
const ROOM: f64 = 0.94;
/// The furthest that one movement goes, down and up. Up is where a mistake costs CPU.
const FURTHEST: (f64, f64) = (0.02, 4.0);
/// Movements that are smaller than this share are not worth an entry in a history.
const SMALLEST: f64 = 0.01;
/// Two windows in a row that are so far from those before, as a share of these, say that something is different now.
const CHANGE: f64 = 0.3;
/// How many standard errors a mean must be past a mark.
const SURE: f64 = 1.5;
/// A mean that is less certain than this share is not acted on, unless it is far from the target.
const PRECISE: f64 = 0.03;
/// By which share windows scatter, until it is learnt.
const SCATTER: f64 = 0.1;
/// The weight of a pair of windows in what is learnt.
const LEARNS: f64 = 1.0 / 32.0;

/// Moves a sampling rate so that telemetry uses a given share of the CPU at most, and as much of it as there is to sample.
///
/// A pure function of the windows it is shown: the same windows give the same movements. What telemetry costs is taken for proportional to the rate, beside a part that
/// is not, whatever that is: each movement goes by target over use, so where a part of the cost is fixed it takes some movements more. If that part alone is above the
/// target, the rate goes to its lower bound.
///
/// **Hysteresis.** Nothing moves while use is between 94 % and 100 % of the target; a movement aims at 97 %. Windows, at most 24, are gathered until their mean is known to 3 %, and past one of these marks by
/// one and a half standard errors; by how much windows scatter is learnt. What is further off than a third is put right after two windows, or three upwards. When two windows in a row are a third away from those
/// before, these are forgotten, so that a step of the load is answered as quickly; a single one is passed over. The window in which a movement takes effect is left out.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::CpuTarget;
///
/// // 5 % of a core; from one trace in a thousand to all of them.
/// let mut target = CpuTarget::new(0.05, 0.001..=1.0);
/// // What a load costs at a rate: ten times too much if all is kept.
/// let used = |rate: f64| 0.002 + 0.5 * rate;
/// let mut rate = 1.0;
/// for _ in 0..60 {
///     if let Some(movement) = target.observe(Duration::from_secs(1), used(rate), rate) {
///         rate = movement.rate;
///     }
/// }
/// assert!((0.045..=0.051).contains(&used(rate)), "{rate}");
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "AdaptiveSampler")]
pub struct CpuTarget {
    cores: f64,
    rates: RangeInclusive<f64>,
    /// Use in the last windows at the present rate, the oldest first.
    seen: Vec<f64>,
    /// The last window, if it is unlike those before.
    odd: Option<f64>,
    /// A window that is too short so far: its length, and the CPU time in it.
    short: (Duration, f64),
    /// The next window is that in which a movement takes effect.
    settles: bool,
    /// The square of the share by which windows scatter: half of that of the difference of two.
    scatter: f64,
}

/// Another sampling rate.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RateMovement {
    /// What it should be, within the bounds.
    pub rate: f64,
    /// Why.
    pub reason: &'static str,
}

impl CpuTarget {
    /// Telemetry is to use so much CPU at most, in cores: 0.05 is 5 % of one. The rate is kept within these bounds, which are brought within 0 and 1.
    ///
    /// A target of zero, and one that is negative or no number, wants the lower bound.
    #[must_use]
    pub fn new(cores: f64, rates: RangeInclusive<f64>) -> Self {
        let share = |rate: f64, or: f64| if rate.is_nan() { or } else { rate.clamp(0.0, 1.0) };
        let (low, high) = (share(*rates.start(), 0.0), share(*rates.end(), 1.0));
        Self {
            cores: sane(cores),
            rates: low.min(high)..=high,
            seen: Vec::with_capacity(MOST),
            odd: None,
            short: (Duration::ZERO, 0.0),
            settles: false,
            scatter: SCATTER * SCATTER,
        }
    }

    /// The target, in cores.
    #[must_use]
    pub fn cores(&self) -> f64 {
        self.cores
    }

    /// The bounds of the rate.
    #[must_use]
    pub fn rates(&self) -> &RangeInclusive<f64> {
        &self.rates
    }

    /// Looks at a window of this length, in which telemetry used so many cores, as a mean, at this rate. Another rate, if there should be one: whoever calls this applies
    /// it before the next window begins, or calls [`forget`](Self::forget).
    ///
    /// What is negative or no number is passed over, and so is a window of no length. Windows below 50 ms are joined.
    pub fn observe(&mut self, window: Duration, used: f64, rate: f64) -> Option<RateMovement> {
        if !(used >= 0.0 && used.is_finite() && rate >= 0.0) {
            return None;
        }
        let (length, cpu) = (self.short.0.saturating_add(window), self.short.1 + used * window.as_secs_f64());
        if length < SHORTEST {
            self.short = (length, cpu);
            return None;
        }
        self.short = (Duration::ZERO, 0.0);
        if std::mem::take(&mut self.settles) {
            return None;
        }
        if !self.take_in(cpu / length.as_secs_f64()) {
            return None;
        }
        let movement = self.movement(rate)?;
        self.forget();
        self.settles = true;
        Some(movement)
    }

    /// Something else has changed: what was seen tells nothing of what comes.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.odd = None;
        self.settles = false;
    }

    /// Whether there is something to judge.
    fn take_in(&mut self, used: f64) -> bool {
        if let Some(last) = self.seen.last().copied() {
            let mean = mean(&self.seen);
            let far = mean * CHANGE.max(2.5 * self.scatter.sqrt());
            if (used - mean).abs() > far {
                // One alone may be anything. Two on the same side are a step of the load.
                let same_side = |other: &f64| (other - mean) * (used - mean) > 0.0;
                let Some(other) = self.odd.replace(used).filter(same_side) else { return false };
                self.odd = None;
                self.seen.clear();
                self.seen.extend([other, used]);
                return true;
            }
            let middle = f64::midpoint(used, last);
            let apart = if middle > 0.0 { ((used - last) / middle).abs() } else { 0.0 };
            self.scatter += LEARNS * (apart * apart / 2.0 - self.scatter);
        }
        self.odd = None;
        if self.seen.len() >= MOST {
            self.seen.remove(0);
        }
        self.seen.push(used);
        true
    }

    fn movement(&self, rate: f64) -> Option<RateMovement> {
        let mean = mean(&self.seen);
        let error = mean * (self.scatter / self.seen.len() as f64).sqrt();
        // What is far off is put right at once, and what is not, well: else noise would be answered with noise.
        let precise = error <= PRECISE * mean || self.seen.len() >= MOST;
        let far = mean > (1.0 + CHANGE) * self.cores || mean < (1.0 - 2.0 * CHANGE) * self.cores;
        if !precise && !far {
            return None;
        }
        let (over, room) = (
            self.seen.len() >= LEAST.0 && mean - SURE * error > self.cores,
            self.seen.len() >= LEAST.1 && mean + SURE * error < ROOM * self.cores,
        );
        let reason = match (over, room) {
            (true, _) => "telemetry uses more CPU than it may: sample less",
            (_, true) => "telemetry may use more CPU than it does: sample more",
            _ => return None,
        };
        // Of no use at all there is no quotient but infinity, which is as far as it goes.
        let factor = (AIM * self.cores / mean).clamp(FURTHEST.0, FURTHEST.1);
        // From zero no factor leads anywhere.
        let from = rate.max(*self.rates.start()).max(1e-9);
        let wanted = (from * factor).clamp(*self.rates.start(), *self.rates.end());
        let moves = (wanted - rate).abs() > SMALLEST * rate;
        moves.then_some(RateMovement { rate: wanted, reason })
    }
}

/// Of at least one number.
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
