//! Each bottleneck is named for what it is, and for nothing else.

use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_tune::{Bottleneck, KeyCardinality, Snapshot, diagnose};

fn healthy() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.window = Duration::from_secs(1);
    snapshot.offered_items = 50_000;
    snapshot.delivered_items = 50_000;
    snapshot.bytes_sent = 5_000_000;
    snapshot.requests = 50;
    snapshot.requests_succeeded = 50;
    snapshot.export_p99 = Some(Duration::from_millis(20));
    snapshot.wait_p99 = Some(Duration::from_millis(200));
    snapshot.sealed.age = 50;
    (snapshot.held_bytes, snapshot.queue_bytes) = (1 << 20, 64 << 20);
    (snapshot.cpu_used, snapshot.cpu_available) = (Some(0.4), Some(2.0));
    (snapshot.rss_bytes, snapshot.memory_limit_bytes) = (Some(64 << 20), Some(256 << 20));
    snapshot.network_limit = Some(1e8);
    (snapshot.in_flight, snapshot.in_flight_limit) = (1.0, 32);
    snapshot.sampling_rate = Some(1.0);
    snapshot.cardinality = vec![KeyCardinality { key: "route".to_owned(), distinct: 90 }];
    snapshot
}

/// Guards the diagnoses and their evidence.
#[test]
fn each_bottleneck_is_named() {
    assert_eq!(diagnose(&healthy()), [], "all is well");
    type Spoil = fn(&mut Snapshot);
    let cases: [(Spoil, Bottleneck, &str); 9] = [
        (|s| s.cpu_used = Some(1.9), Bottleneck::Cpu, "95.0 % of 2.0 cores in use"),
        (|s| s.rss_bytes = Some(250 << 20), Bottleneck::Memory, "97.7 % of 256 MiB in use"),
        (
            |s| s.bytes_sent = 96_000_000,
            Bottleneck::Network,
            "96.0 % of the network's capacity in use, compressed 1.0 to 1",
        ),
        (
            |s| (s.requests, s.requests_succeeded) = (5_000, 5_000),
            Bottleneck::Batching,
            "5000 requests/s of 10 items, which waited 200 ms (P99)",
        ),
        (
            |s| s.wait_p99 = Some(Duration::from_secs(4)),
            Bottleneck::Batching,
            "50 requests/s of 1000 items, which waited 4000 ms (P99)",
        ),
        (|s| s.held_bytes = 60 << 20, Bottleneck::Queue, "queue full to 93.8 %, 0.00 % of the items lost"),
        (|s| s.cardinality[0].distinct = 20_000, Bottleneck::Cardinality, "an attribute has 20000 values"),
        (
            |s| s.requests_succeeded = 40,
            Bottleneck::BackEnd,
            "80.0 % of requests succeed, P99 20 ms, 3 % of the requests that may be under way are",
        ),
        (
            |s| (s.in_flight, s.export_p99) = (32.0, Some(Duration::from_millis(900))),
            Bottleneck::BackEnd,
            "100.0 % of requests succeed, P99 900 ms, 100 % of the requests that may be under way are",
        ),
    ];
    for (spoil, bottleneck, evidence) in cases {
        let mut snapshot = healthy();
        spoil(&mut snapshot);
        let found = diagnose(&snapshot);
        assert_eq!(found.len(), 1, "{bottleneck}: {found:?}");
        assert_eq!((found[0].bottleneck, found[0].evidence.as_str()), (bottleneck, evidence));
        assert!(found[0].figures.iter().all(|(name, figure)| !name.is_empty() && figure.is_finite()));
    }
}

/// Guards sampling as a bottleneck: only where more is kept than can be carried.
#[test]
fn sampling_is_named_where_items_are_lost() {
    let mut snapshot = healthy();
    snapshot.delivered_items = 30_000;
    snapshot.dropped_items[DropReason::Budget.index()] = 20_000;
    let found: Vec<_> = diagnose(&snapshot).into_iter().map(|found| found.bottleneck).collect();
    assert!(found.contains(&Bottleneck::Sampling) && found.contains(&Bottleneck::Queue), "{found:?}");
    snapshot.sampling_rate = Some(0.05);
    assert!(diagnose(&snapshot).iter().all(|found| found.bottleneck != Bottleneck::Sampling));
}

/// Guards the order.
#[test]
fn the_worst_comes_first() {
    let mut snapshot = healthy();
    snapshot.cpu_used = Some(1.7);
    snapshot.rss_bytes = Some(256 << 20);
    let found = diagnose(&snapshot);
    assert_eq!(
        found.iter().map(|found| found.bottleneck).collect::<Vec<_>>(),
        [Bottleneck::Memory, Bottleneck::Cpu]
    );
}
