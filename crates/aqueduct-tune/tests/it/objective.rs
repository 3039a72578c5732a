//! The score and the verdicts.

use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_tune::{Objective, Snapshot, Verdict};

fn healthy() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.window = Duration::from_secs(10);
    snapshot.offered_items = 100_000;
    snapshot.accepted_items = 100_000;
    snapshot.delivered_items = 100_000;
    snapshot.bytes_sent = 10_000_000;
    snapshot.requests = 100;
    snapshot.requests_succeeded = 100;
    snapshot.export_p99 = Some(Duration::from_millis(20));
    snapshot.wait_p99 = Some(Duration::from_millis(30));
    (snapshot.cpu_used, snapshot.cpu_available) = (Some(0.05), Some(2.0));
    snapshot
}

/// Guards the direction of every part: what is worse scores less.
#[test]
fn what_is_worse_scores_less() {
    let objective = Objective::default();
    let best = objective.score(&healthy());
    assert!(best > 75.0 && best < 100.0, "{best}");
    type Spoil = fn(&mut Snapshot);
    let worse: [(&str, Spoil); 7] = [
        ("goodput", |s| s.delivered_items -= 10_000),
        ("rejected", |s| s.rejected_items = 1_000),
        ("refused", |s| s.refused_items = 1_000),
        ("dropped", |s| s.dropped_items[DropReason::Budget.index()] = 1_000),
        ("latency", |s| s.export_p99 = Some(Duration::from_millis(90))),
        ("CPU", |s| s.cpu_used = Some(1.0)),
        ("network", |s| s.bytes_sent *= 5),
    ];
    for (name, spoil) in worse {
        let mut snapshot = healthy();
        spoil(&mut snapshot);
        let score = objective.score(&snapshot);
        assert!(score < 0.995 * best, "{name}: {score} and {best}");
    }
}

/// Guards the normalisation: ten times the load, carried at the same price, is as good; and what sampling takes out is neither wanted nor lost.
#[test]
fn load_alone_makes_no_difference() {
    let objective = Objective::default();
    let mut busy = healthy();
    busy.offered_items *= 10;
    busy.accepted_items *= 10;
    busy.delivered_items *= 10;
    busy.bytes_sent *= 10;
    busy.cpu_used = Some(0.5);
    let (quiet, busy) = (objective.score(&healthy()), objective.score(&busy));
    assert!((quiet - busy).abs() < 1e-9, "{quiet} {busy}");

    let mut sampled = healthy();
    sampled.offered_items *= 2;
    sampled.dropped_items[DropReason::NotSampled.index()] = 100_000;
    assert!((quiet - objective.score(&sampled)).abs() < 1e-9);
}

fn names(snapshot: &Snapshot) -> Vec<&'static str> {
    Objective::default().verdicts(snapshot).map(|verdict| verdict.as_str()).collect()
}

/// Guards the thresholds that users know: 1,000 items a second, 100 ms, 95 %.
#[test]
fn verdicts_have_the_known_thresholds() {
    assert!(names(&healthy()).is_empty());

    let mut snapshot = healthy();
    snapshot.delivered_items = 9_999;
    assert_eq!(names(&snapshot), ["LowThroughput"]);
    snapshot.delivered_items = 10_000;
    assert!(names(&snapshot).is_empty(), "a thousand a second are enough");
    (snapshot.offered_items, snapshot.delivered_items) = (9_000, 9_000);
    assert!(names(&snapshot).is_empty(), "no more was offered");

    let mut snapshot = healthy();
    snapshot.export_p99 = Some(Duration::from_millis(100));
    assert!(names(&snapshot).is_empty());
    snapshot.export_p99 = Some(Duration::from_micros(100_001));
    assert_eq!(names(&snapshot), ["HighLatency"]);

    let mut snapshot = healthy();
    snapshot.requests_succeeded = 95;
    assert!(names(&snapshot).is_empty());
    snapshot.requests_succeeded = 94;
    assert_eq!(names(&snapshot), ["LowSuccessRate"]);
    let verdict = Objective::default().verdicts(&snapshot).next();
    assert_eq!(verdict, Some(Verdict::LowSuccessRate { rate: 0.94, floor: 0.95 }));
    assert_eq!(
        verdict.map(|v| v.to_string()).as_deref(),
        Some("LowSuccessRate: 94.0 % of requests succeed, below 95 %")
    );
    snapshot.requests = 0;
    assert!(names(&snapshot).is_empty(), "no request, no rate");
}
