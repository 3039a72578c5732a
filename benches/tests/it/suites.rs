//! The suites that run in this process.

use aqueduct_benches::harness::{Bar, Effort, Run};
use aqueduct_benches::suites;

fn runs(name: &str) {
    let suite = suites::find(name).expect("the test names a suite");
    let rows = Run::suite(suite, Effort::Tiny, None, &mut |_| Ok(())).expect("every row is measured");
    let declared: Vec<_> = suite.rows.iter().map(|row| row.name).collect();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), declared);
    for row in &rows {
        assert!(row.ours.is_finite() && row.ours >= 0.0, "{row:?}");
        assert_eq!(row.peer.is_some(), row.peer_name.is_some(), "{row:?}");
    }
}

/// Guards the measurements of each crate: they run, and keep every promised row.
#[test]
fn wire() {
    runs("wire");
}

/// As [`wire`].
#[test]
fn metrics() {
    runs("metrics");
}

/// As [`wire`].
#[test]
fn sampling() {
    runs("sampling");
}

/// As [`wire`].
#[test]
fn batch() {
    runs("batch");
}

/// As [`wire`].
#[test]
fn transport() {
    runs("transport");
}

/// As [`wire`].
#[test]
fn receiver() {
    runs("receiver");
}

/// As [`wire`].
#[test]
fn pipeline() {
    runs("pipeline");
}

/// As [`wire`].
#[test]
fn aqueduct() {
    runs("aqueduct");
}

/// Guards the declarations, those of the suites that run processes included: bars can be read and need what they compare, names
/// are unique, also across suites as parts of a command line.
#[test]
fn declarations_are_sound() {
    for suite in suites::ALL {
        assert_eq!(suites::find(suite.name).map(|found| found.name), Some(suite.name));
        assert!(!suite.about.is_empty() && !suite.rows.is_empty(), "{}", suite.name);
        for (index, row) in suite.rows.iter().enumerate() {
            assert!(suite.rows[..index].iter().all(|other| other.name != row.name), "{} twice", row.name);
            if let Some(bar) = row.bar {
                let bar: Bar = bar.parse().unwrap();
                assert!(
                    bar.holds(1.0, row.peer.map(|_| 1.0)).is_some(),
                    "{}: {bar} without a peer",
                    row.name
                );
            }
        }
    }
}

/// As [`wire`].
#[test]
fn exec() {
    runs("exec");
}

/// As [`wire`].
#[test]
fn pool() {
    runs("pool");
}

/// As [`wire`].
#[test]
fn lockfree() {
    runs("lockfree");
}
