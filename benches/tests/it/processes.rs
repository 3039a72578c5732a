//! The suites that run processes, with debug builds of them.

use aqueduct_benches::harness::{Effort, Run, Suite};
use aqueduct_benches::process::{Bench, Contender, Egress, Load, Profile};
use aqueduct_benches::suites;

/// Guards the two peers: a floor that drops items, or a proxy that does, would be an easy opponent.
#[test]
fn the_peers_forward_every_item() {
    let bench = Bench::prepare(Profile::Dev).unwrap();
    for contender in [Contender::Floor, Contender::Naive] {
        for (signal, gzip) in [("traces", false), ("metrics", false), ("logs", false), ("traces", true)] {
            let egress = if gzip { Egress::Gzip } else { Egress::Plain };
            let load = Load { signal, gzip, connections: 2, in_flight: 4, ..Load::spans(20, 1.0) };
            let round = bench.round(contender, egress, &load).unwrap();
            assert!(round.acknowledged > 0, "{contender:?} {signal}");
            assert_eq!((round.lost, round.duplicated), (0, 0), "{contender:?} {signal} gzip {gzip}");
            assert_eq!(round.received, round.acknowledged, "{contender:?} {signal}");
        }
    }
}

/// Guards that every row of these suites is measured, over real sockets, and that ours loses nothing on the way. Of the
/// gateway's loads one stands for all: each takes seconds.
#[test]
fn process_suites_run() {
    for (suite, case) in [("targets", None), ("gateway", Some("10 spans")), ("soak", None)] {
        let suite = suites::find(suite).unwrap_or(&suites::SOAK);
        let rows = Run::suite(suite, Effort::Tiny, case, &mut |_| Ok(())).unwrap();
        assert!(!rows.is_empty());
        for row in rows.iter().filter(|row| is_loss(&row.name)) {
            assert_eq!(row.ours, 0.0, "{}: {}", suite.name, row.name);
        }
    }
}

fn is_loss(row: &str) -> bool {
    row.contains("items lost")
}

/// Guards the applications against a sink that fails: every row is measured, no side loses anything to a healthy sink, what our exporters are
/// given arrives, and the books of ours are exact whatever happens.
#[test]
fn applications_account_for_every_span() {
    let suite = suites::find("case-faults").unwrap();
    let rows = Run::suite(suite, Effort::Tiny, None, &mut |_| Ok(())).unwrap();
    let declared: Vec<_> = suite.rows.iter().map(|row| row.name).collect();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), declared);
    let healthy: Vec<_> = rows.iter().filter(|row| row.name.starts_with("healthy")).collect();
    assert_eq!(healthy.len(), 4);
    for row in healthy {
        assert_eq!((row.ours, row.peer), (0.0, Some(0.0)), "{}", row.name);
    }
    let given = rows.iter().find(|row| row.name == "fault table, exporters, all rows: lost of those given");
    assert_eq!(given.unwrap().ours, 0.0);
    let of_books = |row: &str| row.contains("misaccounted") || row.contains("unexplained");
    let books: Vec<_> = rows.iter().filter(|row| of_books(&row.name)).collect();
    assert_eq!(books.len(), 14);
    for row in books {
        assert_eq!(row.ours, 0.0, "{}", row.name);
    }
}

/// Guards the applications with the SDK in front: every row is measured, neither side drops anything where there is room for all, and ours loses nothing
/// on the way to a sink.
#[test]
fn applications_of_the_sdk_run() {
    let suite = suites::find("opentelemetry").unwrap();
    let rows = Run::suite(suite, Effort::Tiny, None, &mut |_| Ok(())).unwrap();
    let declared: Vec<_> = suite.rows.iter().map(|row| row.name).collect();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), declared);
    for row in rows.iter().filter(|row| row.name.ends_with("spans lost")) {
        assert_eq!(row.ours, 0.0, "{}", row.name);
    }
}

/// Guards the cases of services: every row is measured, the limit holds, and ours loses no span of a request.
#[test]
fn services_run() {
    for (suite, exact) in [
        ("case-cardinality", "distinct values of a key that leave"),
        ("case-web-service", "100 %: requests without a span in the sink"),
    ] {
        let suite = suites::find(suite).unwrap();
        let rows = Run::suite(suite, Effort::Tiny, None, &mut |_| Ok(())).unwrap();
        assert_eq!(rows.len(), suite.rows.len());
        let row = rows.iter().find(|row| row.name == exact).unwrap();
        assert!(row.ours <= if row.unit == "%" { 0.0 } else { 500.0 }, "{row:?}");
    }
}

/// Guards that a filter runs nothing else: `--case` must not start processes it does not need.
#[test]
fn a_filter_without_a_match_starts_nothing() {
    let suite = Suite { measure: |_| Err("measured".into()), ..suites::SOAK };
    assert!(Run::suite(&suite, Effort::Tiny, Some("no such row"), &mut |_| Ok(())).unwrap().is_empty());
    assert!(Run::suite(&suite, Effort::Tiny, Some("steady"), &mut |_| Ok(())).is_err());
}
