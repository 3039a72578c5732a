//! Whatever the figures are: no panic, and nothing outside of the bounds.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use aqueduct_tune::{
    Algorithm, AutoTuner, BottleneckChecklist, Bounds, KeyCardinality, Knob, Objective, Parameters,
    ProductionChecklist, ProductionFacts, Snapshot, TunerConfig, diagnose,
};
use proptest::prelude::*;

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..1_000_u64, any::<u64>()]
}

fn figure() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, f64::MAX, f64::MIN_POSITIVE];
    prop_oneof![prop::sample::select(odd.to_vec()), 0.0..2.0]
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), (0..5_000_u64).prop_map(Duration::from_millis)]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let counts = prop::collection::vec(count(), 24);
    let figures = prop::collection::vec(figure(), 8);
    let times = prop::collection::vec(time(), 4);
    (counts, figures, times, any::<bool>()).prop_map(|(counts, figures, times, known)| {
        let mut snapshot = Snapshot::default();
        snapshot.window = times[0];
        snapshot.offered_items = counts[0];
        snapshot.accepted_items = counts[1];
        snapshot.delivered_items = counts[2];
        snapshot.rejected_items = counts[3];
        snapshot.refused_items = counts[4];
        snapshot.dropped_items.copy_from_slice(&counts[5..15]);
        snapshot.bytes_sent = counts[15];
        snapshot.requests = counts[16];
        snapshot.requests_succeeded = counts[17];
        snapshot.held_bytes = counts[18];
        snapshot.queue_bytes = counts[19];
        snapshot.sealed.items = counts[20];
        snapshot.sealed.age = counts[21];
        snapshot.in_flight_limit = counts[22];
        snapshot.in_flight = figures[0];
        if known {
            snapshot.export_p99 = Some(times[1]);
            snapshot.wait_p99 = Some(times[2]);
            snapshot.cpu_used = Some(figures[1]);
            snapshot.cpu_available = Some(figures[2]);
            snapshot.network_limit = Some(figures[3]);
            snapshot.batch_fill = Some(figures[4]);
            snapshot.compression_ratio = Some(figures[5]);
            snapshot.sampling_rate = Some(figures[6]);
            snapshot.telemetry_cpu_used = Some(figures[7]);
            snapshot.rss_bytes = Some(counts[23]);
            snapshot.memory_limit_bytes = Some(counts[22]);
            snapshot.cardinality.push(KeyCardinality { key: "user".to_owned(), distinct: counts[21] });
        }
        snapshot
    })
}

fn counts() -> impl Strategy<Value = RangeInclusive<u64>> {
    (count(), count()).prop_map(|(a, b)| a..=b)
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let algorithms = prop::collection::vec(
        prop::sample::select(vec![Algorithm::None, Algorithm::Gzip, Algorithm::Zstd]),
        0..4,
    );
    let rates = prop::option::of((figure(), figure()));
    let levels = (any::<i32>(), -7..20_i32);
    (prop::collection::vec(counts(), 6), (time(), time()), algorithms, levels, rates).prop_map(
        |(counts, delays, algorithms, levels, rates)| {
            let mut bounds = Bounds::default();
            bounds.batch_items = counts[0].clone();
            bounds.batch_bytes = counts[1].clone();
            bounds.in_flight = counts[2].clone();
            bounds.connections = counts[3].clone();
            bounds.queue_bytes = counts[4].clone();
            bounds.worker_threads = counts[5].clone();
            bounds.batch_delay = delays.0..=delays.1;
            bounds.compression = algorithms;
            bounds.compression_level = levels.0..=levels.1;
            bounds.sampling_rate = rates.map(|(a, b)| a..=b);
            bounds
        },
    )
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let counts = prop::collection::vec(prop::option::of(count()), 7);
    (counts, prop::option::of(time()), prop::option::of(any::<i32>()), prop::option::of(0.0..1.0)).prop_map(
        |(counts, delay, level, rate)| {
            let mut parameters = Parameters::default();
            parameters.batch_items = counts[0];
            parameters.batch_bytes = counts[1];
            parameters.min_in_flight = counts[2];
            parameters.max_in_flight = counts[3];
            parameters.connections = counts[4];
            parameters.queue_bytes = counts[5];
            parameters.worker_threads = counts[6];
            parameters.batch_delay = delay;
            parameters.compression = level.map(|_| Algorithm::Gzip);
            parameters.compression_level = level;
            parameters.sampling_rate = rate;
            parameters
        },
    )
}

/// Whether a value is within one range or the other way round, zeros aside.
fn between(range: &RangeInclusive<u64>, value: u64) -> bool {
    let (low, high) = (*range.start().min(range.end()), *range.start().max(range.end()));
    (low.max(1)..=high.max(1)).contains(&value)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    /// Guards the bounds and the absence of panics, for any figures, any bounds, a clock that jumps.
    #[test]
    fn nothing_leaves_its_bounds(
        bounds in bounds(), start in parameters(), snapshots in prop::collection::vec((snapshot(), 0..1_000_000_u64, 1..12_usize), 1..30),
        cores in prop::option::of(figure()),
    ) {
        let mut config = TunerConfig::default();
        (config.min_gain, config.min_windows, config.max_windows) = (f64::NAN, 0, usize::MAX);
        let mut tuner = AutoTuner::new(start, &bounds).with_config(config);
        if let Some(cores) = cores {
            tuner = tuner.with_cpu_target(cores);
        }
        let began = Instant::now();
        let mut held = start;
        for (snapshot, millis, times) in snapshots {
            for _ in 0..times {
                for change in tuner.observe(&snapshot, began + Duration::from_millis(millis)) {
                    prop_assert_eq!(held.get(change.knob), Some(change.old));
                    held.set(change.knob, change.new);
                }
                prop_assert_eq!(&held, tuner.parameters());
                for knob in Knob::ALL {
                    prop_assert_eq!(held.get(knob).is_some(), start.get(knob).is_some(), "one owner: {}", knob);
                }
                prop_assert!(held.batch_items.is_none_or(|n| between(&bounds.batch_items, n)));
                prop_assert!(held.batch_bytes.is_none_or(|n| between(&bounds.batch_bytes, n)));
                prop_assert!(held.max_in_flight.is_none_or(|n| between(&bounds.in_flight, n)));
                prop_assert!(held.min_in_flight.is_none_or(|n| between(&bounds.in_flight, n)));
                prop_assert!(held.connections.is_none_or(|n| between(&bounds.connections, n)));
                prop_assert!(held.queue_bytes.is_none_or(|n| between(&bounds.queue_bytes, n)));
                prop_assert!(held.worker_threads.is_none_or(|n| between(&bounds.worker_threads, n)));
                prop_assert!(held.min_in_flight <= held.max_in_flight || held.max_in_flight.is_none());
                if bounds.sampling_rate.is_none() {
                    prop_assert_eq!(held.sampling_rate, start.sampling_rate);
                }
                prop_assert!(held.sampling_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
                prop_assert!(held.compression.is_none_or(|one| one == Algorithm::None || bounds.compression.contains(&one)));
                let score = tuner.objective().score(&snapshot);
                prop_assert!((0.0..=100.0).contains(&score), "{}", score);
            }
            for suggestion in tuner.suggestions() {
                let mut next = held;
                next.set(suggestion.knob, suggestion.new);
                prop_assert!(tuner.bounds().contains(&next), "{}", suggestion);
            }
        }
    }

    /// Guards the reports: they can be written for any figures.
    #[test]
    fn reports_never_panic(snapshot in snapshot(), odd in figure(), count in count(), time in time()) {
        let checklist = BottleneckChecklist::of(&snapshot);
        prop_assert_eq!(checklist.checks().len(), 7);
        prop_assert!(!checklist.to_string().is_empty());
        for diagnosis in diagnose(&snapshot) {
            prop_assert!(diagnosis.severity > 0.5 && diagnosis.severity <= 1.0);
            prop_assert!(!diagnosis.evidence.is_empty() && !diagnosis.figures.is_empty());
        }
        let mut objective = Objective::default();
        (objective.latency_weight, objective.network_reference, objective.latency_target) = (odd, odd, time);
        objective.loss_weight = odd;
        let score = objective.score(&snapshot);
        prop_assert!((0.0..=100.0).contains(&score), "{}", score);
        let mut facts = ProductionFacts::default();
        (facts.sampling_rate, facts.tested_load) = (Some(odd), Some(odd));
        (facts.queue_bytes, facts.memory_limit_bytes, facts.connections) = (Some(count), Some(count / 2), Some(count));
        facts.keepalive = Some(time);
        prop_assert_eq!(ProductionChecklist::of(&facts).checks().len(), 10);
    }
}
