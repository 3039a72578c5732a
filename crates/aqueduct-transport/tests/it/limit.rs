//! The adaptive limit against the best fixed one, in simulations; and that the simulation itself is right.
//!
//! `cargo run --release -p aqueduct-transport --example limit` prints the table for every fixed limit from 1 to 64.

use std::time::Duration;

use aqueduct_transport::ConcurrencyLimit;

use crate::sim::scenarios::{self, Scenario};
use crate::sim::{Arrivals, Backend, Policy, Service, simulate};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Fixed limits to compare with: each optimum of the scenarios is among them.
const FIXED: [usize; 13] = [1, 2, 3, 4, 6, 8, 10, 11, 16, 24, 32, 48, 64];

/// Asserts that the adaptive limit, which knows nothing, delivers nine tenths of what the best fixed one does.
fn finds_the_best(scenario: &Scenario) {
    for seed in 1..=3 {
        let (limit, best) = scenario.best_fixed(FIXED, seed);
        let adaptive = scenario.run(ConcurrencyLimit::default(), seed);
        let share = adaptive.throughput() / best.throughput();
        let figures = format!(
            "{}, seed {seed}: {:.1}/s, {:.1} % of the best fixed limit {limit}",
            scenario.name,
            adaptive.throughput(),
            share * 100.0
        );
        assert!(share >= 0.9, "{figures}");
        // It must not buy that with attempts.
        let amplification = adaptive.total().attempts as f64 / adaptive.total().delivered as f64;
        assert!(amplification <= 1.2, "{figures}: {amplification:.2} attempts each");
    }
}

/// Guards throughput where requests beyond four wait, and that they wait no longer than they must.
#[test]
fn a_quick_backend() {
    let scenario = scenarios::quick();
    finds_the_best(&scenario);
    let wait = scenario.run(ConcurrencyLimit::default(), 1).mean_wait();
    assert!(wait <= MS(2), "{wait:?} instead of 1 ms");
}

/// Guards throughput over a distance.
#[test]
fn a_distant_backend() {
    finds_the_best(&scenarios::distant());
}

/// Guards throughput under a quota that refuses without a word.
#[test]
fn a_quota() {
    finds_the_best(&scenarios::rate_limited(None));
}

/// Guards throughput under a quota that sends all away for a while.
#[test]
fn a_quota_that_tells_when_to_come_back() {
    finds_the_best(&scenarios::rate_limited(Some(MS(100))));
}

/// Guards against a limit that takes chance for load, and against one that takes load for chance.
#[test]
fn a_backend_of_uneven_speed() {
    finds_the_best(&scenarios::jittery(0.5));
    finds_the_best(&scenarios::jittery(1.0));
    let wait = scenarios::jittery(0.5).run(ConcurrencyLimit::default(), 1).mean_wait();
    assert!(wait <= MS(60), "{wait:?} instead of 24 ms");
}

/// Guards the way back after an outage.
#[test]
fn an_outage() {
    finds_the_best(&scenarios::outage());
}

/// Guards against a limit that is right once: capacity that comes and goes is found and left, within seconds.
#[test]
fn capacity_that_changes() {
    let backend = Backend::new(MS(2), Service::Lognormal { median: MS(20), sigma: 0.3 }, 4)
        .with_queue(8, Duration::ZERO)
        .then(Duration::from_secs(20), 32)
        .then(Duration::from_secs(60), 4);
    let scenario = Scenario { name: "capacity changes", backend, seconds: 90 };
    let adaptive = scenario.run(ConcurrencyLimit::default(), 1);
    let each = |range| adaptive.sum(range).delivered as f64 / 10.0;
    // 4 and 32 servers at 20.9 ms in the mean.
    let (few, many) = (each(10..20), each(50..60));
    assert!(few >= 0.9 * 191.0, "{few}");
    assert!(many >= 0.9 * 1530.0, "{many}");
    assert!(each(70..80) >= 0.9 * 191.0, "{}", each(70..80));
    assert!(adaptive.sum(62..90).attempts as f64 <= 1.2 * adaptive.sum(62..90).delivered as f64);
}

/// Guards the simulation: throughput is concurrency by time (Little's law) up to what the servers can do, and waiting
/// comes from the rest.
#[test]
fn the_simulation_follows_littles_law() {
    for limit in [1, 3, 10, 64] {
        let report = scenarios::distant().run(ConcurrencyLimit::fixed(limit), 1);
        let expected = limit as f64 / 0.05;
        assert!((report.throughput() / expected - 1.0).abs() < 0.01, "{limit}: {}", report.throughput());
        let report = scenarios::quick().run(ConcurrencyLimit::fixed(limit), 1);
        let expected = limit.min(4) as f64 * 1000.0;
        assert!((report.throughput() / expected - 1.0).abs() < 0.01, "{limit}: {}", report.throughput());
        let expected = 0.001 * (limit as f64 / 4.0).max(1.0);
        assert!((report.mean_wait().as_secs_f64() / expected - 1.0).abs() < 0.01, "{limit}");
    }
}

/// Guards the simulation: a quota lets through its rate and its burst; an outage costs its time; jitter has the mean of
/// the lognormal distribution.
#[test]
fn the_simulated_backends_do_what_they_say() {
    let mut impatient = Policy::new(ConcurrencyLimit::fixed(16));
    impatient.pauses = false;
    let quota = scenarios::rate_limited(None);
    let report = simulate(&quota.backend, 1, Arrivals::Endless, &impatient, 60, 1);
    assert!((report.total().delivered as i64 - 30_050).abs() <= 16, "{:?}", report.total());

    let report = scenarios::outage().run(ConcurrencyLimit::fixed(8), 1);
    assert_eq!(report.sum(29..33).delivered, 0);
    assert!(report.sum(0..28).delivered > 0 && report.sum(50..60).delivered > 0);

    let report = scenarios::jittery(0.5).run(ConcurrencyLimit::fixed(4), 1);
    // exp(sigma^2 / 2) times the median, and the way there.
    let expected = 0.020 * 0.125_f64.exp() + 0.001;
    assert!((report.mean_wait().as_secs_f64() / expected - 1.0).abs() < 0.03, "{:?}", report.mean_wait());
}

/// Guards the simulation: the same seed gives the same history, another seed another.
#[test]
fn the_simulation_is_deterministic() {
    let run = |seed| scenarios::jittery(0.5).run(ConcurrencyLimit::default(), seed);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
