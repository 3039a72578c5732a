//! The seven points and the ten.

use std::time::Duration;

use aqueduct_metrics::{LeakReport, Verdict};
use aqueduct_tune::{
    BottleneckChecklist, KeyCardinality, ProductionChecklist, ProductionFacts, Snapshot, Status, checklist,
};

fn healthy() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.window = Duration::from_secs(1);
    snapshot.offered_items = 50_000;
    snapshot.delivered_items = 50_000;
    snapshot.requests = 50;
    snapshot.requests_succeeded = 50;
    snapshot.export_p99 = Some(Duration::from_millis(20));
    snapshot.wait_p99 = Some(Duration::from_millis(200));
    (snapshot.held_bytes, snapshot.queue_bytes) = (1 << 20, 64 << 20);
    (snapshot.cpu_used, snapshot.cpu_available) = (Some(0.4), Some(2.0));
    (snapshot.rss_bytes, snapshot.memory_limit_bytes) = (Some(64 << 20), Some(256 << 20));
    snapshot.sampling_rate = Some(0.05);
    snapshot.cardinality = vec![KeyCardinality { key: "route".to_owned(), distinct: 90 }];
    snapshot
}

fn statuses(checklist: &BottleneckChecklist) -> Vec<(&'static str, Status)> {
    checklist.checks().iter().map(|check| (check.id, check.status)).collect()
}

/// Guards the seven points, each spoilt alone: the others still pass.
#[test]
fn each_of_the_seven_fails_alone() {
    let well = checklist(&healthy());
    assert_eq!(well.status(), Status::Pass, "{well}");
    assert_eq!(
        well.checks().iter().map(|check| check.id).collect::<Vec<_>>(),
        ["cpu", "memory", "network", "batching", "sampling", "queue", "cardinality"]
    );
    type Spoil = fn(&mut Snapshot);
    let cases: [(&str, Status, Spoil); 15] = [
        ("cpu", Status::Warn, |s| s.cpu_used = Some(1.6)),
        ("cpu", Status::Fail, |s| s.cpu_used = Some(1.9)),
        ("memory", Status::Fail, |s| s.rss_bytes = Some(250 << 20)),
        ("memory", Status::Warn, |s| s.leak = Some(leak(Verdict::Leaking, Verdict::Steady))),
        ("memory", Status::Warn, |s| s.leak = Some(leak(Verdict::Steady, Verdict::Leaking))),
        ("network", Status::Warn, |s| s.export_p99 = Some(Duration::from_millis(101))),
        ("network", Status::Fail, |s| s.requests_succeeded = 47),
        ("batching", Status::Fail, |s| s.wait_p99 = Some(Duration::from_secs(6))),
        ("batching", Status::Fail, |s| (s.requests, s.requests_succeeded) = (10_000, 10_000)),
        ("sampling", Status::Warn, |s| s.sampling_rate = Some(1.0)),
        ("queue", Status::Warn, |s| s.held_bytes = 40 << 20),
        ("queue", Status::Fail, |s| s.held_bytes = 60 << 20),
        ("queue", Status::Fail, |s| s.refused_items = 1),
        ("cardinality", Status::Warn, |s| s.cardinality[0].distinct = 1_000),
        ("cardinality", Status::Fail, |s| s.cardinality[0].distinct = 10_000),
    ];
    for (id, status, spoil) in cases {
        let mut snapshot = healthy();
        spoil(&mut snapshot);
        let checklist = checklist(&snapshot);
        for (other, found) in statuses(&checklist) {
            let expected = if other == id { status } else { Status::Pass };
            assert_eq!(found, expected, "{other} while {id} is spoilt\n{checklist}");
        }
        assert_eq!(checklist.status(), status);
    }
}

/// Guards against passing what nobody knows.
#[test]
fn what_is_not_known_is_a_warning() {
    let nothing = checklist(&Snapshot::default());
    assert!(statuses(&nothing).iter().all(|(_, status)| *status == Status::Warn), "{nothing}");
    let nothing = ProductionChecklist::of(&ProductionFacts::default());
    assert!(nothing.checks().iter().all(|check| check.status == Status::Warn), "{nothing}");
}

/// Guards the text: evidence always, the fix only where something is to be put right.
#[test]
fn a_line_has_evidence_and_a_fix() {
    let mut snapshot = healthy();
    snapshot.cpu_used = Some(1.9);
    let text = checklist(&snapshot).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 7);
    assert!(
        lines[0].starts_with(
            "fail  cpu             CPU in use 95.0 %, 38000 ns for each delivered item; take a CPU"
        ),
        "{text}"
    );
    assert_eq!(lines[1], "pass  memory          memory in use 25.0 %");
}

fn leak(memory: Verdict, objects: Verdict) -> LeakReport {
    let mut report = LeakReport::default();
    (report.memory.verdict, report.memory.per_minute) = (memory, f64::from(3 << 19));
    report.checked_out.verdict = objects;
    report
}

/// Guards what is said of growth: also where it is well, and that a verdict that is not there yet is no warning.
#[test]
fn growth_has_evidence() {
    let memory = |leak: LeakReport| {
        let mut snapshot = healthy();
        snapshot.leak = Some(leak);
        let check = checklist(&snapshot).checks()[1].clone();
        (check.status, check.evidence)
    };
    let expected = [
        (leak(Verdict::TooEarly, Verdict::TooEarly), Status::Pass, "too early to tell whether it grows"),
        (leak(Verdict::Fading, Verdict::Steady), Status::Pass, "growth fading at +1.50 MiB/min"),
        (leak(Verdict::Leaking, Verdict::Steady), Status::Warn, "growth leaking at +1.50 MiB/min"),
        (
            leak(Verdict::Steady, Verdict::Leaking),
            Status::Warn,
            "growth steady at +1.50 MiB/min, objects do not come back to their pool",
        ),
    ];
    for (report, status, evidence) in expected {
        assert_eq!(memory(report), (status, format!("memory in use 25.0 %, {evidence}")));
    }
}

fn settled() -> ProductionFacts {
    let mut facts = ProductionFacts::default();
    facts.sampling_rate = Some(0.05);
    facts.batch_items = Some(8_192);
    facts.batch_delay = Some(Duration::from_millis(200));
    facts.queue_bytes = Some(64 << 20);
    facts.memory_limit_bytes = Some(256 << 20);
    facts.export_timeout = Some(Duration::from_secs(5));
    facts.connections = Some(2);
    facts.keepalive = Some(Duration::from_secs(30));
    facts.compressed = Some(true);
    facts.destination_is_near = Some(false);
    facts.most_distinct_values = Some(50);
    (facts.monitored, facts.alerts) = (Some(true), Some(true));
    facts.tested_load = Some(2.5);
    (facts.breaker, facts.retry) = (Some(true), Some(true));
    facts.documented = Some(true);
    facts
}

/// Guards the ten points, each spoilt alone.
#[test]
fn each_of_the_ten_fails_alone() {
    let well = ProductionChecklist::of(&settled());
    assert_eq!(well.status(), Status::Pass, "{well}");
    type Spoil = fn(&mut ProductionFacts);
    let cases: [(usize, Status, Spoil); 16] = [
        (0, Status::Warn, |f| f.sampling_rate = Some(1.0)),
        (0, Status::Fail, |f| f.sampling_rate = Some(0.0)),
        (1, Status::Fail, |f| f.batch_items = Some(1)),
        (1, Status::Fail, |f| f.batch_delay = Some(Duration::from_secs(60))),
        (2, Status::Fail, |f| f.queue_bytes = Some(240 << 20)),
        (2, Status::Fail, |f| f.export_timeout = Some(Duration::ZERO)),
        (3, Status::Fail, |f| f.connections = Some(1_000)),
        (3, Status::Warn, |f| f.keepalive = None),
        (4, Status::Fail, |f| f.compressed = Some(false)),
        (5, Status::Fail, |f| f.most_distinct_values = Some(1_000_000)),
        (6, Status::Fail, |f| f.alerts = Some(false)),
        (7, Status::Warn, |f| f.tested_load = Some(1.5)),
        (7, Status::Fail, |f| f.tested_load = Some(0.5)),
        (8, Status::Fail, |f| f.breaker = Some(false)),
        (8, Status::Warn, |f| f.retry = None),
        (9, Status::Fail, |f| f.documented = Some(false)),
    ];
    for (index, status, spoil) in cases {
        let mut facts = settled();
        spoil(&mut facts);
        let checklist = ProductionChecklist::of(&facts);
        for (other, check) in checklist.checks().iter().enumerate() {
            let expected = if other == index { status } else { Status::Pass };
            assert_eq!(check.status, expected, "{checklist}");
            assert_eq!(check.id, ProductionChecklist::ITEMS[other].id);
        }
    }
    let mut near = settled();
    (near.compressed, near.destination_is_near) = (Some(false), Some(true));
    assert_eq!(ProductionChecklist::of(&near).status(), Status::Pass, "a neighbour needs no compression");
}
