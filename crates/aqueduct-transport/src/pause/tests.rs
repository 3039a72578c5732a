//! Tests of the pause clock.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Guards the whole cycle: pause, one probe, open for all.
#[test]
fn a_failure_pauses_all_and_one_probe_reopens() {
    let start = Instant::now();
    let mut clock = PauseClock::default();
    clock.failed(start, SECOND);
    assert_eq!(clock.next(start + SECOND / 2), Turn::Wait(start + SECOND));
    assert_eq!(clock.next(start + SECOND), Turn::Probe);
    assert!(!clock.is_open());
    assert!(matches!(clock.next(start + SECOND), Turn::Wait(_)));
    clock.succeeded(start + SECOND);
    assert!(clock.is_open());
    assert_eq!(clock.next(start + SECOND), Turn::Go);
}

/// Guards against a probe's failure letting the crowd through.
#[test]
fn a_failed_probe_pauses_again() {
    let start = Instant::now();
    let mut clock = PauseClock::default();
    clock.failed(start, SECOND);
    assert_eq!(clock.next(start + SECOND), Turn::Probe);
    clock.failed(start + SECOND, 2 * SECOND);
    assert_eq!(clock.next(start + 2 * SECOND), Turn::Wait(start + 3 * SECOND));
    assert_eq!(clock.next(start + 3 * SECOND), Turn::Probe);
}

/// Guards a demand of the server against shorter delays of later failures and against late answers.
#[test]
fn nothing_shortens_a_pause() {
    let start = Instant::now();
    let mut clock = PauseClock::default();
    clock.failed(start, 10 * SECOND);
    clock.failed(start, SECOND);
    clock.succeeded(start + SECOND);
    clock.abandoned(start + SECOND);
    assert_eq!(clock.next(start + 9 * SECOND), Turn::Wait(start + 10 * SECOND));
}

/// Guards against a destination that nobody sends to any more because the probe was cancelled.
#[test]
fn a_probe_that_never_reports_does_not_wedge() {
    let start = Instant::now();
    let mut clock = PauseClock::new(5 * SECOND);
    clock.failed(start, SECOND);
    assert_eq!(clock.next(start + SECOND), Turn::Probe);
    // Told: the next caller probes at once.
    clock.abandoned(start + SECOND);
    assert_eq!(clock.next(start + SECOND), Turn::Probe);
    // Not told: the lease ends.
    assert_eq!(clock.next(start + 2 * SECOND), Turn::Wait(start + 6 * SECOND));
    assert_eq!(clock.next(start + 6 * SECOND), Turn::Probe);
}

/// Guards against arithmetic beyond the clock's range.
#[test]
fn an_endless_pause_is_no_panic() {
    let start = Instant::now();
    let mut clock = PauseClock::new(Duration::MAX);
    clock.failed(start, Duration::MAX);
    assert!(matches!(clock.next(start + 1000 * SECOND), Turn::Wait(_)));
}

#[derive(Clone, Debug)]
enum Event {
    Pass(u16),
    Ask,
    Failed(u16),
    Succeeded,
    Abandoned,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0u16..3000).prop_map(Event::Pass),
        Just(Event::Ask),
        Just(Event::Ask),
        (0u16..3000).prop_map(Event::Failed),
        Just(Event::Succeeded),
        Just(Event::Abandoned),
    ]
}

proptest! {
    /// Guards, over any history: nobody sends during a pause; after it exactly one sends until something is reported or
    /// the lease ends; waiting until the instant that was told always leads on.
    #[test]
    fn at_most_one_sends_until_a_success(events in proptest::collection::vec(event(), 1..200)) {
        let lease = Duration::from_millis(1500);
        let mut now = Instant::now();
        let mut clock = PauseClock::new(lease);
        // The model: when the pause ends, when a probe went out, and whether anything failed since the last success.
        let (mut until, mut probe, mut open) = (now, None::<Instant>, true);
        for event in events {
            match event {
                Event::Pass(ms) => now += Duration::from_millis(ms.into()),
                Event::Failed(ms) => {
                    let end = now + Duration::from_millis(ms.into());
                    until = if open || probe.is_some() { end } else { until.max(end) };
                    (open, probe) = (false, None);
                    clock.failed(now, Duration::from_millis(ms.into()));
                }
                Event::Succeeded => {
                    if open || probe.is_some() || now >= until {
                        (open, probe) = (true, None);
                    }
                    clock.succeeded(now);
                }
                Event::Abandoned => {
                    probe = None;
                    clock.abandoned(now);
                }
                Event::Ask => match clock.next(now) {
                    Turn::Go => prop_assert!(open),
                    Turn::Probe => {
                        prop_assert!(!open && now >= until);
                        prop_assert!(probe.is_none_or(|sent| now >= sent + lease), "two probes at once");
                        probe = Some(now);
                    }
                    Turn::Wait(instant) => {
                        prop_assert!(!open && instant > now);
                        let mut later = clock.clone();
                        prop_assert_eq!(later.next(instant), Turn::Probe);
                    }
                },
            }
            prop_assert_eq!(clock.is_open(), open);
        }
    }
}
