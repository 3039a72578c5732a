//! Tests of the adaptive limit, by hand and over any history. How well it does is measured in `tests/it/limit.rs`.

use std::time::{Duration, Instant};

use aqueduct_wire::rpc::Code;
use proptest::prelude::*;

use super::*;
use crate::failure::Failure;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A limit, the time, and a server that says how long `n` requests at once take.
struct Bench {
    limit: ConcurrencyLimit,
    now: Instant,
}

impl Bench {
    fn new(limit: ConcurrencyLimit) -> Self {
        Self { limit, now: Instant::now() }
    }

    fn fill(&mut self) -> Vec<Permit> {
        std::iter::from_fn(|| self.limit.try_acquire(self.now)).collect()
    }

    fn end(&mut self, permits: Vec<Permit>, feedback: Feedback) {
        for permit in permits {
            self.limit.finished(permit, self.now, feedback);
        }
    }

    /// As many requests as allowed at once, answered after `takes`, for some rounds.
    fn rounds(&mut self, rounds: usize, takes: impl Fn(usize) -> Duration) {
        for _ in 0..rounds {
            let permits = self.fill();
            self.now += takes(permits.len());
            self.end(permits, Feedback::Success);
        }
    }

    /// Whether the limit ever leaves the range during so many rounds.
    fn stays(
        &mut self,
        within: std::ops::RangeInclusive<usize>,
        rounds: usize,
        takes: impl Fn(usize) -> Duration,
    ) {
        for round in 0..rounds {
            self.rounds(1, &takes);
            assert!(within.contains(&self.limit.limit()), "{} in round {round}", self.limit.limit());
        }
    }
}

fn starting_at(initial: usize) -> Bench {
    let config = LimitConfig { initial, ..LimitConfig::default() };
    Bench::new(ConcurrencyLimit::new(config).expect("within the bounds"))
}

/// Guards the quick start, and the upper bound.
#[test]
fn the_start_doubles_up_to_the_bound() {
    let mut bench = Bench::new(ConcurrencyLimit::default());
    for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert_eq!(bench.limit.limit(), expected);
        bench.rounds(1, |_| MS(10));
    }
}

/// Guards against a collapse: all of a full house being refused is one piece of news.
#[test]
fn refusals_of_one_house_halve_once() {
    let mut bench = starting_at(32);
    let permits = bench.fill();
    bench.end(permits, Feedback::Backpressure);
    assert_eq!(bench.limit.limit(), 16);
    let permits = bench.fill();
    bench.end(permits, Feedback::Backpressure);
    assert_eq!(bench.limit.limit(), 8);
}

/// Guards the lower bound: there is always one.
#[test]
fn never_below_one() {
    let mut bench = starting_at(3);
    for _ in 0..10 {
        let permits = bench.fill();
        assert!(!permits.is_empty());
        bench.end(permits, Feedback::Backpressure);
    }
    assert_eq!(bench.limit.limit(), 1);
}

/// Guards against answers to the load of before: neither may they lower the new limit nor raise it.
#[test]
fn answers_from_before_a_decrease_change_nothing() {
    let mut bench = starting_at(16);
    let mut late = bench.fill();
    let first = late.split_off(15);
    bench.end(first, Feedback::Backpressure);
    assert_eq!(bench.limit.limit(), 8);
    bench.now += MS(500);
    bench.end(late, Feedback::Success);
    assert_eq!((bench.limit.limit(), bench.limit.round.answers), (8, 0));
}

/// Guards the limit of a server that is down: its single probes are refused, and it comes back as strong as it was.
#[test]
fn a_lone_refusal_says_nothing() {
    let mut bench = starting_at(16);
    for _ in 0..20 {
        let probe = bench.limit.try_acquire(bench.now).expect("room");
        bench.limit.finished(probe, bench.now, Feedback::Backpressure);
    }
    assert_eq!(bench.limit.limit(), 16);
}

/// Guards against a limit that grows on an idle client's word, and is far too high when a burst comes.
#[test]
fn an_idle_client_does_not_raise_it() {
    let mut bench = starting_at(8);
    for _ in 0..1000 {
        let permit = bench.limit.try_acquire(bench.now).expect("room");
        bench.now += MS(10);
        bench.limit.finished(permit, bench.now, Feedback::Success);
    }
    assert_eq!(bench.limit.limit(), 8);
}

/// Guards the end of the climb: after a decrease it is back just below the ceiling within a few rounds, and stays there for
/// a second.
#[test]
fn climbs_back_to_below_the_ceiling() {
    let mut bench = starting_at(32);
    let permits = bench.fill();
    bench.end(permits, Feedback::Backpressure);
    bench.rounds(8, |_| MS(10));
    assert_eq!(bench.limit.limit(), 30);
    bench.stays(30..=30, 90, |_| MS(10));
    bench.rounds(20, |_| MS(10));
    assert!(bench.limit.limit() > 30, "it never tries again");
}

/// Guards the finding of more capacity: steps double while they go well.
#[test]
fn finds_new_capacity_within_seconds() {
    let mut bench = starting_at(4);
    let permits = bench.fill();
    bench.end(permits, Feedback::Backpressure);
    // 20 s.
    bench.rounds(2000, |_| MS(10));
    assert_eq!(bench.limit.limit(), 64);
}

/// Guards against trying a known ceiling too often: the holds get longer.
#[test]
fn a_ceiling_that_is_right_is_tried_seldom() {
    let mut bench = starting_at(8);
    let mut refused = 0;
    // 200 s of 10 ms rounds at a server that takes ten at once.
    for _ in 0..20_000 {
        let permits = bench.fill();
        bench.now += MS(10);
        let feedback = if permits.len() > 10 { Feedback::Backpressure } else { Feedback::Success };
        refused += u32::from(permits.len() > 10);
        bench.end(permits, feedback);
    }
    assert!((10..=25).contains(&refused), "{refused}");
}

/// Guards against a creeping queue: the time without one must not be forgotten while there is one.
#[test]
fn a_queue_is_kept_short_for_ever() {
    let mut bench = Bench::new(ConcurrencyLimit::default());
    // Eight servers: more requests wait.
    let takes = |n: usize| MS(10).mul_f64((n as f64 / 8.0).max(1.0));
    bench.rounds(100, takes);
    // A tenth of a million rounds, half an hour.
    bench.stays(6..=14, 100_000, takes);
}

/// Guards the smallest limits, whose rounds would be too short to tell a queue from chance.
#[test]
fn a_queue_at_a_single_server_is_noticed() {
    let mut bench = Bench::new(ConcurrencyLimit::default());
    bench.rounds(100, |n| MS(10) * n as u32);
    bench.stays(1..=3, 10_000, |n| MS(10) * n as u32);
}

/// Guards against giving up concurrency for a server that became slow by itself, where fewer requests do not help.
#[test]
fn a_slower_server_is_no_queue() {
    let mut bench = Bench::new(ConcurrencyLimit::default());
    bench.rounds(100, |_| MS(10));
    assert_eq!(bench.limit.limit(), 64);
    bench.rounds(3, |_| MS(100));
    assert!(bench.limit.limit() >= 48, "{}", bench.limit.limit());
    bench.stays(48..=64, 1000, |_| MS(100));
    assert_eq!(bench.limit.limit(), 64);
}

/// Guards `fixed`, whatever happens.
#[test]
fn fixed_is_fixed() {
    let mut bench = Bench::new(ConcurrencyLimit::fixed(5));
    for feedback in [Feedback::Backpressure, Feedback::Success, Feedback::Failure] {
        for _ in 0..20 {
            let permits = bench.fill();
            assert_eq!(permits.len(), 5);
            bench.now += MS(1);
            bench.end(permits, feedback);
        }
    }
    assert_eq!(ConcurrencyLimit::fixed(0).limit(), 1);
}

/// Guards against a leap: what is learnt at the upper bound is nothing, however long it lasts.
#[test]
fn a_bound_that_is_raised_is_no_leap() {
    let mut bench = starting_at(4);
    bench.limit.set_bounds(1, 8).unwrap();
    // Congestion at 8 once, and none since.
    bench.rounds(3, |_| Duration::from_millis(10));
    let all = bench.fill();
    bench.end(all, Feedback::Backpressure);
    bench.rounds(20_000, |_| Duration::from_millis(10));
    assert_eq!(bench.limit.limit(), 8);
    bench.limit.set_bounds(1, 1_000).unwrap();
    bench.rounds(200, |_| Duration::from_millis(10));
    assert!(bench.limit.limit() <= 16, "{:?}", bench.limit);
}

/// Guards the bounds: bad ones are refused, live ones move the limit.
#[test]
fn bounds() {
    let of = |min, max, initial| ConcurrencyLimit::new(LimitConfig { min, max, initial });
    for (min, max, initial, field) in
        [(0, 4, 1, "min"), (5, 4, 5, "max"), (2, 4, 1, "initial"), (2, 4, 5, "initial")]
    {
        let error = of(min, max, initial).expect_err("contradicts itself");
        assert!(error.to_string().starts_with(field), "{error}");
    }
    let mut bench = starting_at(16);
    let permits = bench.fill();
    bench.limit.set_bounds(2, 4).expect("fine");
    assert_eq!((bench.limit.limit(), bench.limit.in_flight()), (4, 16));
    assert!(bench.limit.set_bounds(3, 2).is_err());
    bench.end(permits, Feedback::Success);
    bench.limit.set_bounds(10, 20).expect("fine");
    assert_eq!((bench.limit.limit(), bench.fill().len()), (10, 10));
}

/// Guards what of a client's outcomes is about load.
#[test]
fn outcomes_as_feedback() {
    let retry = |kind| Outcome::retry(Failure::new(kind, ""));
    for (outcome, expected) in [
        (Outcome::Delivered, Feedback::Success),
        (Outcome::Partial { rejected: 1, message: String::new() }, Feedback::Success),
        (retry(FailureKind::Status(Code::Unavailable)), Feedback::Backpressure),
        (retry(FailureKind::Http(429)), Feedback::Backpressure),
        (retry(FailureKind::Timeout), Feedback::Backpressure),
        (retry(FailureKind::Refused), Feedback::Backpressure),
        (retry(FailureKind::Connect), Feedback::Failure),
        (retry(FailureKind::Reset), Feedback::Failure),
        (Outcome::Permanent(Failure::new(FailureKind::Http(400), "")), Feedback::Failure),
        (Outcome::TooLarge(Failure::new(FailureKind::Http(413), "")), Feedback::Failure),
    ] {
        assert_eq!(Feedback::from(&outcome), expected, "{outcome:?}");
    }
}

/// Guards the waiting: a slot that comes back wakes a task, a dropped one too, and a raised bound wakes several.
#[tokio::test(start_paused = true)]
async fn tasks_wait_at_the_gate() {
    let gate = ConcurrencyGate::from(ConcurrencyLimit::fixed(1));
    let first = gate.acquire().await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.acquire().await })
        })
        .collect();
    tokio::task::yield_now().await;
    // One that waits gives up; its turn goes to another.
    tasks[0].abort();
    assert_eq!((gate.in_flight(), gate.try_acquire().is_none()), (1, true));
    drop(first);
    let mut tasks = tasks.into_iter().skip(1);
    let second = tasks.next().expect("the second of six").await.expect("let through");
    second.finished(Feedback::Success);
    let third = tasks.next().expect("the third of six").await.expect("let through");
    // All the others at once.
    gate.set_bounds(5, 5).expect("fine");
    let mut slots = vec![third];
    for task in tasks {
        slots.push(task.await.expect("let through"));
    }
    assert_eq!(gate.in_flight(), 4);
    slots.push(gate.acquire().await);
    slots.pop().expect("five").finished(Feedback::Success);
    assert_eq!(gate.in_flight(), 4);
}

#[derive(Clone, Debug)]
enum Event {
    Pass(u16),
    Send,
    Fill,
    End(prop::sample::Index, Feedback),
    Bounds(usize, usize),
}

fn event() -> impl Strategy<Value = Event> {
    let feedback = prop_oneof![4 => Just(Feedback::Success), 1 => Just(Feedback::Backpressure), 1 => Just(Feedback::Failure)];
    prop_oneof![
        4 => (0u16..500).prop_map(Event::Pass),
        4 => Just(Event::Send),
        1 => Just(Event::Fill),
        8 => (any::<prop::sample::Index>(), feedback).prop_map(|(which, feedback)| Event::End(which, feedback)),
        1 => (0usize..40, 0usize..40).prop_map(|(min, max)| Event::Bounds(min, max)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards, over any history: permits are conserved, one is refused exactly if the limit is reached, and the limit is
    /// within its bounds.
    #[test]
    fn permits_are_conserved(events in prop::collection::vec(event(), 1..400)) {
        let mut limit = ConcurrencyLimit::default();
        let mut now = Instant::now();
        let (mut min, mut max) = (1, 64);
        let mut held = Vec::new();
        for event in events {
            match event {
                Event::Pass(ms) => now += MS(ms.into()),
                Event::Send => {
                    let room = held.len() < limit.limit();
                    let permit = limit.try_acquire(now);
                    prop_assert_eq!(permit.is_some(), room);
                    held.extend(permit);
                }
                Event::Fill => held.extend(std::iter::from_fn(|| limit.try_acquire(now))),
                Event::End(which, feedback) => {
                    if !held.is_empty() {
                        limit.finished(held.swap_remove(which.index(held.len())), now, feedback);
                    }
                }
                Event::Bounds(low, high) => {
                    let fine = limit.set_bounds(low, high).is_ok();
                    prop_assert_eq!(fine, low >= 1 && low <= high);
                    if fine {
                        (min, max) = (low, high);
                    }
                }
            }
            prop_assert!((min..=max).contains(&limit.limit()), "{} of {min}..={max}", limit.limit());
            prop_assert_eq!(limit.in_flight(), held.len());
        }
    }
}

/// Guards the limit against trouble that has nothing to do with load: an expired certificate would bring it down to one.
#[test]
fn only_refusals_and_time_outs_are_back_pressure() {
    let of = |kind| Feedback::from(&Outcome::retry(Failure::new(kind, "")));
    for neutral in [
        FailureKind::Connect,
        FailureKind::Tls,
        FailureKind::Credentials,
        FailureKind::Reset,
        FailureKind::Protocol,
        FailureKind::Io,
    ] {
        assert_eq!(of(neutral), Feedback::Failure, "{neutral:?}");
    }
    for load in [FailureKind::Timeout, FailureKind::Refused, FailureKind::Http(503)] {
        assert_eq!(of(load), Feedback::Backpressure, "{load:?}");
    }
}
