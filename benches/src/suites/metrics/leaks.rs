//! Whether the leak detector tells leaks from what is none.

use std::time::{Duration, Instant};

use aqueduct_metrics::LeakDetector;

use crate::Failure;
use crate::harness::{Run, Samples};

pub(super) const FALSE_ALARMS: &str = "leak detector: alarms in 60 hours of sawtooth, warming up and plateau";
pub(super) const FOUND: &str = "leak detector: leaks of 1 MiB/min found in 10 min, half under a sawtooth";
pub(super) const REPORT: &str = "leak detector: a report";

const MIB: f64 = 1_048_576.0;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    /// With a deviation of 1, near enough: the sum of twelve.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Whether there is an alarm within so many minutes of readings, one a second.
fn alarms(minutes: u64, mut mebibytes: impl FnMut(f64) -> f64) -> bool {
    let start = Instant::now();
    let mut detector = LeakDetector::new();
    (0..=minutes * 60).any(|second| {
        let bytes = (mebibytes(second as f64 / 60.0) * MIB).max(0.0) as u64;
        detector.observe(start + Duration::from_secs(second), bytes);
        second % 30 == 0 && detector.report().is_leak()
    })
}

/// A sawtooth of 10 s to a minute and 5 to 60 MiB.
fn teeth(random: &mut Random) -> impl Fn(f64) -> f64 + use<> {
    let (period, height, phase) = (random.between(1.0 / 6.0, 1.0), random.between(5.0, 60.0), random.unit());
    move |minute| 300.0 + height * (minute / period + phase).fract()
}

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let seeds: u64 = run.effort().pick(2, 20, 20);
    if run.wants(FALSE_ALARMS) {
        let mut wrong = 0;
        for seed in 0..seeds {
            let mut random = Random(seed);
            wrong += u32::from(alarms(60, teeth(&mut random)));
            let (size, time) = (random.between(20.0, 500.0), random.between(0.5, 4.0));
            wrong += u32::from(alarms(60, |minute| {
                100.0 + size * (1.0 - (-minute / time).exp()) + 0.3 * random.noise()
            }));
            let spread = random.between(0.1, 10.0);
            wrong += u32::from(alarms(60, |_| 500.0 + spread * random.noise()));
        }
        run.record(FALSE_ALARMS, &Samples::one(wrong.into()))?;
    }
    if run.wants(FOUND) {
        let mut found = 0;
        for seed in 0..seeds {
            let mut random = Random(seed + 1000);
            let teeth = teeth(&mut random);
            found += u32::from(alarms(10, |minute| teeth(minute) + minute));
            found += u32::from(alarms(10, |minute| 200.0 + minute + 0.5 * random.noise()));
        }
        run.record(FOUND, &Samples::one(found.into()))?;
    }
    let start = Instant::now();
    let mut detector = LeakDetector::new();
    (0..600).for_each(|second| detector.observe(start + Duration::from_secs(second), second << 20));
    let rounds: usize = run.effort().pick(1, 99, 999);
    let time = |_| {
        let begun = Instant::now();
        let _ = std::hint::black_box(detector.report());
        begun.elapsed().as_nanos() as f64 / 1e3
    };
    run.record(REPORT, &Samples { ours: (0..rounds).map(time).collect(), peer: Vec::new() })
}
