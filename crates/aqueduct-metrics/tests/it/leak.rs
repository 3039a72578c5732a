//! The leak detector, on twenty seeds of everything that it must tell apart.

use std::time::{Duration, Instant};

use aqueduct_metrics::{LeakDetector, Verdict};

use crate::random::Random;

const MIB: f64 = 1_048_576.0;

/// Feeds readings once a second for so many minutes, and returns after how many minutes it first says `Leaking`, asked twice a minute.
fn first_alarm(minutes: u64, mut reading: impl FnMut(f64) -> f64) -> Option<f64> {
    let start = Instant::now();
    let mut detector = LeakDetector::new();
    for second in 0..=minutes * 60 {
        let minute = second as f64 / 60.0;
        detector.observe(start + Duration::from_secs(second), (reading(minute) * MIB).max(0.0) as u64);
        if second % 30 == 0 && detector.report().is_leak() {
            return Some(minute);
        }
    }
    None
}

/// A sawtooth of any period up to 2.5 minutes, with noise: each tooth rises and is swept.
fn sawtooth(random: &mut Random) -> impl FnMut(f64) -> f64 + use<> {
    let (period, height) = (random.between(0.2, 2.5), random.between(5.0, 200.0));
    let (phase, noise) = (random.unit(), random.between(0.0, 0.02) * height);
    let mut random = Random::new(random.next());
    move |minute| 300.0 + height * (minute / period + phase).fract() + noise * random.normal()
}

/// One as of batches and caches: 10 s to a minute, 5 to 60 MiB. Between readings it moves by up to 6 MiB.
fn small_sawtooth(random: &mut Random) -> impl FnMut(f64) -> f64 + use<> {
    let (period, height, phase) = (random.between(1.0 / 6.0, 1.0), random.between(5.0, 60.0), random.unit());
    move |minute| 300.0 + height * (minute / period + phase).fract()
}

/// Guards the bar: an hour of sawtooth, of warming up, of a plateau gives no alarm, whatever the seed.
#[test]
fn no_alarm_without_a_leak() {
    for seed in 0..20 {
        let random = &mut Random::new(seed);
        let mut teeth = sawtooth(random);
        assert_eq!(first_alarm(60, &mut teeth), None, "sawtooth {seed}");

        let (size, time) = (random.between(20.0, 500.0), random.between(0.5, 4.0));
        let mut noise = Random::new(seed + 100);
        let warm = |minute: f64| 100.0 + size * (1.0 - (-minute / time).exp()) + 0.3 * noise.normal();
        assert_eq!(first_alarm(60, warm), None, "warming up by {size} MiB in {time} min, {seed}");

        let (level, spread) = (random.between(50.0, 2000.0), random.between(0.1, 10.0));
        let mut noise = Random::new(seed + 200);
        assert_eq!(first_alarm(60, |_| level + spread * noise.normal()), None, "plateau {seed}");
    }
}

/// Guards the same for what is between: a ramp that ends after four minutes, a step, a cycle of a few minutes.
#[test]
fn no_alarm_for_steps_and_ramps() {
    for seed in 0..20 {
        let random = &mut Random::new(seed + 1000);
        let (slope, end) = (random.between(2.0, 50.0), random.between(0.5, 4.0));
        let mut noise = Random::new(seed);
        let ramp = |minute: f64| 100.0 + slope * minute.min(end) + 0.2 * noise.normal();
        assert_eq!(first_alarm(30, ramp), None, "a ramp of {slope} for {end} min");
        let at = random.between(1.0, 20.0);
        assert_eq!(first_alarm(30, |minute| if minute < at { 100.0 } else { 300.0 }), None, "a step at {at}");
        let period = random.between(1.0, 2.6);
        let wave = |minute: f64| 500.0 + 100.0 * (minute / period * std::f64::consts::TAU).sin();
        assert_eq!(first_alarm(30, wave), None, "a wave of {period} min");
    }
}

/// Guards the bar: a leak of 1 MiB a minute is found within ten minutes of data, alone, with noise, and under a sawtooth.
#[test]
fn leaks_are_found_within_ten_minutes() {
    for seed in 0..20 {
        let mut noise = Random::new(seed);
        let plain = |minute: f64| 200.0 + minute + 0.5 * noise.normal();
        let found = first_alarm(10, plain);
        assert!(found.is_some(), "with noise, {seed}: {found:?}");

        let mut teeth = small_sawtooth(&mut Random::new(seed + 50));
        let found = first_alarm(10, |minute| teeth(minute) + minute);
        assert!(found.is_some(), "under a sawtooth, {seed}");
    }
    assert!(first_alarm(10, |minute| 50.0 + minute).is_some_and(|minute| minute <= 9.1));
}

/// Guards what comes later: a leak that begins after an hour of sawtooth.
#[test]
fn a_late_leak_is_found() {
    let teeth = |minute: f64| 300.0 + 40.0 * (minute * 1.3).fract();
    let found = first_alarm(80, |minute| teeth(minute) + 1.5 * (minute - 60.0).max(0.0));
    assert!(found.is_some_and(|minute| (60.0..72.0).contains(&minute)), "{found:?}");
}

/// Guards the accounting of checkouts: objects that come back raise nothing, one in a hundred that does not is found.
#[test]
fn objects_that_never_come_back_are_found() {
    for kept in [0_u64, 1] {
        let start = Instant::now();
        let mut detector = LeakDetector::new();
        let mut random = Random::new(kept);
        for second in (0..600).step_by(5) {
            let taken = second * 20 + 40;
            let out = random.next() % 30 + kept * second / 20;
            detector.checked_out(start + Duration::from_secs(second), taken, taken - out.min(taken));
        }
        let report = detector.report();
        let expected = if kept == 1 { Verdict::Leaking } else { Verdict::Steady };
        assert_eq!(
            (report.checked_out.verdict, report.memory.verdict),
            (expected, Verdict::TooEarly),
            "{report}"
        );
        assert_eq!(report.is_leak(), kept == 1);
    }
}

/// Guards the figures: slope, span and floors of a leak that is known.
#[test]
fn the_report_has_the_figures() {
    let start = Instant::now();
    let mut detector = LeakDetector::new();
    for second in 0..=600_u64 {
        detector.observe(start + Duration::from_secs(second), (second << 20) / 30);
    }
    let memory = detector.report().memory;
    assert!((memory.per_minute / MIB - 2.0).abs() < 0.01 && memory.order > 0.99, "{memory:?}");
    assert_eq!((memory.minutes, memory.verdict), (9.0, Verdict::Leaking));
    assert!(memory.last - memory.first > 16 << 20);
    let words = detector.report().to_string();
    assert!(words.contains("leaking, +2.00 MiB/min over 9.0 min"), "{words}");
    assert!(words.contains("checked out: too early"), "{words}");
}

/// Guards clocks that stand still or go back, gaps, and settings that are none.
#[test]
fn edges_are_values_and_not_panics() {
    let start = Instant::now();
    let mut detector = LeakDetector::with_windows(Duration::ZERO, 0)
        .with_bytes_per_minute(f64::NAN)
        .with_objects_per_minute(-1.0);
    for reading in [0, u64::MAX, 5, u64::MAX] {
        detector.observe(start + Duration::from_secs(5), reading);
        detector.observe(start, reading);
        detector.checked_out(start, 1, 5);
    }
    assert_eq!(detector.report().memory.verdict, Verdict::TooEarly);
    let mut gap = LeakDetector::new();
    for second in 0..600_u64 {
        gap.observe(start + Duration::from_secs(second), second << 20);
    }
    gap.observe(start + Duration::from_secs(1_000_000), 1 << 40);
    assert_eq!(gap.report().memory.verdict, Verdict::TooEarly, "what is old does not count");
}
