//! Tests of the circuit breaker: its decisions by hand and against a model, and the futures around it.

use std::future::pending;

use proptest::prelude::*;
use tokio::time::{advance, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn granted(circuit: &mut Circuit, now: Instant) -> Ticket {
    match circuit.admit(now) {
        Admission::Granted(ticket) => ticket,
        Admission::Refused { .. } => panic!("refused in {:?}", circuit.state()),
    }
}

fn refused_until(circuit: &mut Circuit, now: Instant) -> Instant {
    match circuit.admit(now) {
        Admission::Refused { retry_at } => retry_at,
        Admission::Granted(_) => panic!("granted in {:?}", circuit.state()),
    }
}

fn fail(circuit: &mut Circuit, now: Instant, times: u32) {
    for _ in 0..times {
        let ticket = granted(circuit, now);
        circuit.failed(ticket, now);
    }
}

fn circuit(change: impl FnOnce(&mut BreakerConfig)) -> Circuit {
    let mut config = BreakerConfig::default();
    change(&mut config);
    Circuit::new(config).expect("within the ranges")
}

/// Guards the whole cycle and the defaults that users know: five failures, thirty seconds, one probe.
#[test]
fn opens_probes_and_closes() {
    let start = Instant::now();
    let mut circuit = Circuit::default();
    fail(&mut circuit, start, 4);
    let ticket = granted(&mut circuit, start);
    circuit.succeeded(ticket, start);
    fail(&mut circuit, start, 4);
    assert_eq!(circuit.state(), BreakerState::Closed);
    fail(&mut circuit, start, 1);
    let retry_at = start + 30 * SECOND;
    assert_eq!(circuit.state(), BreakerState::Open { retry_at });
    assert_eq!(refused_until(&mut circuit, start + 29 * SECOND), retry_at);

    let probe = granted(&mut circuit, retry_at);
    assert_eq!(circuit.state(), BreakerState::HalfOpen);
    refused_until(&mut circuit, retry_at);
    circuit.failed(probe, retry_at + SECOND);
    assert_eq!(circuit.state(), BreakerState::Open { retry_at: retry_at + 31 * SECOND });

    let probe = granted(&mut circuit, retry_at + 31 * SECOND);
    circuit.succeeded(probe, retry_at + 31 * SECOND);
    assert_eq!(circuit.state(), BreakerState::Closed);
    let stats = circuit.stats();
    assert_eq!((stats.opened, stats.reopened, stats.closed), (1, 1, 1));
    assert_eq!((stats.admitted, stats.refused, stats.succeeded, stats.failed), (12, 2, 2, 10));
    // The row of failures begins anew.
    fail(&mut circuit, retry_at + 40 * SECOND, 4);
    assert_eq!(circuit.state(), BreakerState::Closed);
}

/// Guards against calls of before the opening that end late: they neither close it nor keep it open.
#[test]
fn late_results_change_nothing() {
    let start = Instant::now();
    let mut circuit = Circuit::default();
    let (late_success, late_failure) = (granted(&mut circuit, start), granted(&mut circuit, start));
    fail(&mut circuit, start, 5);
    circuit.succeeded(late_success, start + SECOND);
    assert!(matches!(circuit.state(), BreakerState::Open { .. }));
    let probe = granted(&mut circuit, start + 30 * SECOND);
    circuit.failed(late_failure, start + 30 * SECOND);
    assert_eq!(circuit.state(), BreakerState::HalfOpen);
    circuit.succeeded(probe, start + 30 * SECOND);
    assert_eq!(circuit.state(), BreakerState::Closed);
}

/// Guards against a breaker that stays half-open because its probe was lost.
#[test]
fn a_lost_probe_is_replaced() {
    let start = Instant::now();
    let mut circuit = Circuit::default();
    fail(&mut circuit, start, 5);
    let now = start + 30 * SECOND;
    let told = granted(&mut circuit, now);
    circuit.abandoned(told, now);
    assert_eq!(circuit.state(), BreakerState::Open { retry_at: now });
    let lost = granted(&mut circuit, now);
    assert_eq!(refused_until(&mut circuit, now + SECOND), now + 30 * SECOND);
    let another = granted(&mut circuit, now + 30 * SECOND);
    // The first is heard of after all: the last one counts.
    circuit.failed(lost, now + 31 * SECOND);
    assert_eq!(circuit.state(), BreakerState::HalfOpen);
    let last = granted(&mut circuit, now + 60 * SECOND);
    circuit.succeeded(another, now + 61 * SECOND);
    assert_eq!(circuit.state(), BreakerState::HalfOpen);
    circuit.succeeded(last, now + 61 * SECOND);
    assert_eq!(circuit.state(), BreakerState::Closed);
}

/// Guards the growth of the open time, its bound, and its return to the start.
#[test]
fn open_time_grows_with_failed_probes() {
    let mut circuit = circuit(|config| {
        (config.growth, config.max_open) = (2.0, 100 * SECOND);
    });
    let mut now = Instant::now();
    fail(&mut circuit, now, 5);
    for seconds in [30, 60, 100, 100] {
        let retry_at = refused_until(&mut circuit, now);
        assert_eq!(retry_at - now, seconds * SECOND);
        now = retry_at;
        fail(&mut circuit, now, 1);
    }
    now = refused_until(&mut circuit, now);
    let probe = granted(&mut circuit, now);
    circuit.succeeded(probe, now);
    fail(&mut circuit, now, 5);
    assert_eq!(refused_until(&mut circuit, now) - now, 30 * SECOND);
}

/// Guards the share: successes that break each row do not hide that half of the calls fail; old calls are forgotten.
#[test]
fn opens_on_a_share_of_failures() {
    let start = Instant::now();
    let half = |config: &mut BreakerConfig| config.ratio = Some(FailureRatio::new(0.5));
    let alternate = |circuit: &mut Circuit, now, calls| {
        for call in 0..calls {
            let Admission::Granted(ticket) = circuit.admit(now) else { return };
            if call % 2 == 0 { circuit.failed(ticket, now) } else { circuit.succeeded(ticket, now) }
        }
    };
    let mut few = circuit(half);
    alternate(&mut few, start, 8);
    assert_eq!(few.state(), BreakerState::Closed);
    // Eleven seconds later these are too few again.
    alternate(&mut few, start + 11 * SECOND, 8);
    assert_eq!(few.state(), BreakerState::Closed);
    // Five seconds later they still count.
    alternate(&mut few, start + 16 * SECOND, 3);
    assert!(matches!(few.state(), BreakerState::Open { .. }));
    let mut without = Circuit::default();
    alternate(&mut without, start, 1000);
    assert_eq!(without.state(), BreakerState::Closed);
}

/// Guards against numbers that make no breaker.
#[test]
fn bad_numbers_are_refused() {
    let share = |ratio| Some(FailureRatio::new(ratio));
    let refused = |change: &dyn Fn(&mut BreakerConfig), field: &str| {
        let mut config = BreakerConfig::default();
        change(&mut config);
        let error = CircuitBreaker::new(config).expect_err("out of range");
        assert!(error.to_string().starts_with(field), "{error}");
    };
    refused(&|config| config.failures = 0, "failures");
    refused(&|config| config.lease = Duration::ZERO, "lease");
    refused(&|config| config.growth = 0.5, "growth");
    refused(&|config| config.growth = f64::NAN, "growth");
    refused(&|config| config.ratio = share(0.0), "ratio");
    refused(&|config| config.ratio = share(f64::NAN), "ratio");
    refused(
        &|config| config.ratio = Some(FailureRatio { window: Duration::ZERO, ..FailureRatio::new(0.5) }),
        "window",
    );
}

async fn opened() -> CircuitBreaker {
    let breaker = CircuitBreaker::default();
    for _ in 0..5 {
        let failed = breaker.call(|| async { Err::<(), _>("down") }).await;
        assert!(matches!(failed, Err(BreakerError::Failed("down"))));
    }
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));
    breaker
}

/// Guards the data: an open breaker answers at once and gives back what it did not call.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_gives_the_operation_back() {
    let breaker = opened().await;
    let data = vec![1, 2, 3];
    let before = clock::now();
    let Err(BreakerError::Open { retry_at, operation }) =
        breaker.call(|| async move { Ok::<_, &str>(data) }).await
    else {
        panic!("called")
    };
    assert_eq!((clock::now(), retry_at), (before, before + 30 * SECOND));
    advance(30 * SECOND).await;
    assert_eq!(breaker.call(operation).await.ok(), Some(vec![1, 2, 3]));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// Guards against a breaker wedged by a probe that was cancelled, or that panicked.
#[tokio::test(start_paused = true)]
async fn a_dropped_or_panicking_probe_lets_another_probe() {
    let breaker = opened().await;
    advance(30 * SECOND).await;
    let cut = tokio::time::timeout(SECOND, breaker.call(pending::<Result<(), &str>>)).await;
    assert!(cut.is_err());
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));

    let shared = breaker.clone();
    let panicked = tokio::spawn(async move {
        let _ = shared.call(|| async { if true { panic!("on purpose") } else { Ok::<(), &str>(()) } }).await;
    });
    assert!(panicked.await.is_err());
    assert_eq!(breaker.stats().abandoned, 2);
    assert!(breaker.call(|| async { Ok::<_, &str>(()) }).await.is_ok());
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// Guards `call_if`: an answer that is an error shows that the other side works.
#[tokio::test(start_paused = true)]
async fn only_failures_count() {
    let breaker = CircuitBreaker::default();
    for _ in 0..20 {
        let answer = breaker.call_if(|| async { Err::<(), _>("no such thing") }, |_| false).await;
        assert!(matches!(answer, Err(BreakerError::Failed(_))));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// Guards the waiting: all go on as soon as the one probe succeeds, and one of them probes as soon as it is dropped.
#[tokio::test(start_paused = true)]
async fn waiting_calls_follow_the_probe() {
    let breaker = opened().await;
    let start = clock::now();
    advance(30 * SECOND).await;
    let probe = breaker.admit(clock::now()).expect("it is time");
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let breaker = breaker.clone();
            tokio::spawn(async move {
                let admitted = breaker.wait(None).await.expect("no deadline");
                let at = clock::now();
                sleep(SECOND).await;
                admitted.ended(false);
                at
            })
        })
        .collect();
    sleep(SECOND).await;
    drop(probe);
    let mut went = Vec::new();
    for task in waiting {
        went.push((task.await.expect("let through") - start).as_secs());
    }
    went.sort_unstable();
    assert_eq!(went, [31, 32, 32]);
}

#[derive(Clone, Debug)]
enum Event {
    Pass(u16),
    Ask,
    Failed(prop::sample::Index),
    Succeeded(prop::sample::Index),
    Abandoned(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0u16..12_000).prop_map(Event::Pass),
        Just(Event::Ask),
        Just(Event::Ask),
        any::<prop::sample::Index>().prop_map(Event::Failed),
        any::<prop::sample::Index>().prop_map(Event::Succeeded),
        any::<prop::sample::Index>().prop_map(Event::Abandoned),
    ]
}

/// What the breaker should do, as simply as it can be said.
#[derive(Debug)]
enum Model {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { probe: usize, lease_ends: Instant },
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards, over any history: the circuit does what the model does, and only calls of the present count.
    #[test]
    fn follows_the_model(events in prop::collection::vec(event(), 1..200)) {
        let (open_for, lease) = (10 * SECOND, 5 * SECOND);
        let mut circuit = circuit(|config| {
            (config.failures, config.open_for, config.lease) = (3, open_for, lease);
        });
        let mut model = Model::Closed { failures: 0 };
        let mut now = Instant::now();
        // Tickets with the number of the call, and the number of the first call since the last opening or closing.
        let (mut calls, mut since) = (0usize, 0usize);
        let mut held: Vec<(usize, Ticket)> = Vec::new();
        for event in events {
            let ending = match &event {
                Event::Failed(which) | Event::Succeeded(which) | Event::Abandoned(which) => {
                    if held.is_empty() { continue }
                    Some(held.swap_remove(which.index(held.len())))
                }
                Event::Pass(_) | Event::Ask => None,
            };
            match (event, ending) {
                (Event::Pass(ms), _) => now += Duration::from_millis(ms.into()),
                (Event::Ask, _) => {
                    let expected = match model {
                        Model::Closed { .. } => true,
                        Model::Open { until: end } | Model::HalfOpen { lease_ends: end, .. } => now >= end,
                    };
                    match circuit.admit(now) {
                        Admission::Granted(ticket) => {
                            prop_assert!(expected, "let through in {model:?}");
                            if !matches!(model, Model::Closed { .. }) {
                                model = Model::HalfOpen { probe: calls, lease_ends: now + lease };
                            }
                            held.push((calls, ticket));
                            calls += 1;
                        }
                        Admission::Refused { retry_at } => {
                            prop_assert!(!expected && retry_at > now, "refused in {model:?}");
                        }
                    }
                }
                (Event::Failed(_), Some((call, ticket))) => {
                    circuit.failed(ticket, now);
                    model = match model {
                        Model::Closed { failures } if call >= since && failures + 1 < 3 => {
                            Model::Closed { failures: failures + 1 }
                        }
                        Model::Closed { .. } if call >= since => Model::Open { until: now + open_for },
                        Model::HalfOpen { probe, .. } if probe == call => Model::Open { until: now + open_for },
                        same => same,
                    };
                }
                (Event::Succeeded(_), Some((call, ticket))) => {
                    circuit.succeeded(ticket, now);
                    model = match model {
                        Model::Closed { .. } if call >= since => Model::Closed { failures: 0 },
                        Model::HalfOpen { probe, .. } if probe == call => {
                            since = calls;
                            Model::Closed { failures: 0 }
                        }
                        same => same,
                    };
                }
                (_, Some((call, ticket))) => {
                    circuit.abandoned(ticket, now);
                    model = match model {
                        Model::HalfOpen { probe, .. } if probe == call => Model::Open { until: now },
                        same => same,
                    };
                }
                (_, None) => unreachable!("an end has a call"),
            }
            let same = match (&model, circuit.state()) {
                (Model::Closed { .. }, BreakerState::Closed) => true,
                (Model::Open { until }, BreakerState::Open { retry_at }) => *until == retry_at,
                (Model::HalfOpen { .. }, BreakerState::HalfOpen) => true,
                _ => false,
            };
            prop_assert!(same, "{:?} instead of {model:?}", circuit.state());
            prop_assert_eq!(circuit.stats().admitted, calls as u64);
        }
    }
}
