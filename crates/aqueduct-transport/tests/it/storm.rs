//! Fifty clients and one backend that is down for thirty seconds and comes back at half its strength: with the policies
//! of this crate it stays up, without them it does not.
//!
//! *Amplification* is attempts by delivered batches. It is counted from the return of the backend to the end, and over
//! the whole run without probes: attempts that a client makes alone while it pauses, to see whether the backend is back.

use std::time::Duration;

use aqueduct_transport::{ConcurrencyLimit, RetryBudget};

use crate::sim::{Arrivals, Backend, Policy, Quota, Report, Service, simulate};

const MS: fn(u64) -> Duration = Duration::from_millis;

const CLIENTS: usize = 50;
/// Three quarters of what the backend can do at first, and one and a half of what it can do in the end.
const EACH: f64 = 12.0;
const RETURN: usize = 40;
const END: usize = 120;
/// Batches a second: eight servers, 20 ms each in the mean.
const HALF: f64 = 400.0;

/// Sixteen servers with room for `queue` batches to wait, each refusal at the cost of a tenth or a fourth of a batch.
fn backend(queue: usize, refusal: Duration) -> Backend {
    let service = Service::Lognormal { median: MS(18), sigma: 0.46 };
    Backend::new(MS(2), service, 16)
        .with_queue(queue, refusal)
        .then(Duration::from_secs(10), 0)
        .then(Duration::from_secs(RETURN as u64), 8)
}

fn policy() -> Policy {
    let mut policy = Policy::new(ConcurrencyLimit::default());
    policy.budget = Some(RetryBudget::default());
    policy.timeout = Duration::from_secs(2);
    policy
}

fn run(backend: &Backend, policy: &Policy, seed: u64) -> Report {
    let report = simulate(backend, CLIENTS, Arrivals::PerSecond(EACH), policy, END, seed);
    let total = report.total();
    assert_eq!(report.arrived, total.delivered + report.waiting + report.in_flight, "batches are lost");
    report
}

/// Attempts by deliveries, from a second on, with probes and without.
fn amplification(report: &Report, from: usize) -> (f64, f64) {
    let sum = report.sum(from..END);
    let by = |attempts: u64| attempts as f64 / sum.delivered as f64;
    (by(sum.attempts), by(sum.attempts - sum.probes))
}

/// The share of the backend's strength that it delivered in the worst stretch of so many seconds, from five seconds after
/// its return on.
fn worst(report: &Report, seconds: usize) -> f64 {
    (RETURN + 5..=END - seconds)
        .map(|from| report.sum(from..from + seconds).delivered as f64 / (HALF * seconds as f64))
        .fold(f64::INFINITY, f64::min)
}

/// Guards against a second collapse and against storms of retries.
#[test]
fn the_backend_stays_up_after_its_return() {
    for (queue, refusal) in [(100, MS(2)), (32, MS(5))] {
        for seed in 1..=3 {
            let report = run(&backend(queue, refusal), &policy(), seed);
            let (all, alone) = amplification(&report, RETURN);
            let (_, whole) = amplification(&report, 0);
            let figures = format!(
                "queue {queue}, refusal {refusal:?}, seed {seed}: worst second {:.2}, worst five {:.2}; attempts per \
                 delivery {all:.3} after the return, {alone:.3} without probes, {whole:.3} so in all",
                worst(&report, 1),
                worst(&report, 5),
            );
            println!("{figures}");
            assert!(worst(&report, 5) >= 0.9 && worst(&report, 1) >= 0.8, "{figures}");
            assert!(all <= 1.2 && alone <= 1.2 && whole <= 1.2, "{figures}");
        }
    }
}

/// Guards the test above: with 64 requests in flight for each client, no budget, and the same pauses, the same backend
/// does badly.
#[test]
fn without_limit_and_budget_it_does_not() {
    let mut policy = policy();
    (policy.limit, policy.budget) = (ConcurrencyLimit::fixed(64), None);
    let report = run(&backend(32, MS(5)), &policy, 1);
    let (all, _) = amplification(&report, RETURN);
    println!("worst five seconds {:.2}, attempts per delivery {all:.3}", worst(&report, 5));
    assert!(worst(&report, 5) < 0.6 && all > 2.0);
}

/// Guards the budget's promise where it is all there is: retries are a tenth of first attempts, with what each client
/// saved up and gets for the time. Without it they are many times that.
#[test]
fn the_budget_bounds_retries_by_itself() {
    let retries = |budget: Option<RetryBudget>| {
        let mut policy = policy();
        (policy.limit, policy.budget) = (ConcurrencyLimit::fixed(64), budget);
        let total = run(&backend(32, MS(5)), &policy, 1).total();
        let first = (total.attempts - total.retries) as f64;
        let allowed = 0.1 * first + CLIENTS as f64 * (10.0 + 0.1 * END as f64);
        (total.retries as f64, allowed)
    };
    let (with, allowed) = retries(Some(RetryBudget::default()));
    assert!(with > 0.0 && with <= allowed, "{with} of {allowed}");
    let (without, allowed) = retries(None);
    assert!(without > 3.0 * allowed, "{without} of {allowed}");
}

/// Guards a backend that refuses at once what is beyond its capacity, so that neither round-trip times nor the number of requests in flight tell a
/// client its share: with a throttle little is refused, and what the backend can do is used from a few seconds after its return on.
#[test]
fn a_quota_is_shared() {
    const QUOTA: f64 = 250.0;
    let backend = Backend::new(Duration::from_micros(500), Service::Fixed(Duration::from_micros(200)), 16)
        .with_quota(Quota { rate: QUOTA, burst: QUOTA / 10.0, tells: None })
        .then(Duration::from_secs(10), 0)
        .then(Duration::from_secs(RETURN as u64), 16);
    for seed in 1..=20 {
        let run = |throttles| {
            let policy = Policy { throttles, ..policy() };
            let report = simulate(&backend, CLIENTS, Arrivals::PerSecond(4.0), &policy, RETURN + 21, seed);
            let sum = report.sum(RETURN..RETURN + 20);
            let used = |second| report.sum(second..second + 1).delivered as f64 / QUOTA;
            let worst = (RETURN + 5..RETURN + 20).map(used).fold(f64::INFINITY, f64::min);
            (sum.attempts as f64 / sum.delivered as f64, worst)
        };
        let (attempts, worst) = run(true);
        let (greedy, _) = run(false);
        println!(
            "seed {seed}: {attempts:.3} attempts per delivery, worst second {worst:.2}; without a throttle {greedy:.3}"
        );
        assert!(
            attempts <= 1.2 && worst >= 0.85,
            "seed {seed}: {attempts:.3} attempts per delivery, worst second {worst:.2}"
        );
        assert!(greedy > 1.3, "seed {seed}: nobody is refused anyway");
    }
}
