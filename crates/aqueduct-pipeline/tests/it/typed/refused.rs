//! Items that are refused: too late, in the wrong process, of another signal.

use aqueduct_pipeline::{ItemSink, Refused};
use aqueduct_wire::encode::{LogSource, ValueRef, ValueSink};

use super::{Numbered, assert_delivered, assert_over, build, intake, numbered, resource, scope};
use crate::scripted::{PATIENCE, Scripted, batches_of, lane};

/// Guards shutdown against late comers, also those that come by an intake that is made afterwards.
#[test]
fn nothing_is_taken_after_a_shutdown() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let early = intake(&pipeline);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    let late = intake(&pipeline);
    assert_eq!(early.push(&numbered(1)), Err(Refused::Closed));
    assert_eq!(late.push(&numbered(2)), Err(Refused::Closed));
    drop((early, late));
    assert_over(&lane(&pipeline));
}

/// Guards the batch from items of another signal.
#[test]
fn items_of_another_signal_are_refused() {
    struct Line;
    impl LogSource for Line {
        fn body(&self, out: ValueSink<'_>) {
            out.put(ValueRef::Str("line"));
        }
    }
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let scope = scope();
    let intake = pipeline.encoding_intake(resource(), move |span: &Numbered, out: &mut ItemSink<'_>| {
        out.push_log(&scope, &Line);
        if span.number == 1 {
            out.push_span(&scope, span);
        }
    });
    assert_eq!(intake.push(&numbered(0)), Err(Refused::WrongSignal));
    assert_eq!(intake.push(&numbered(1)), Err(Refused::WrongSignal), "the span was taken");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1)]);
    assert_over(&lane(&pipeline));
}

/// Guards the child of a fork, where nobody sends.
#[cfg(unix)]
#[test]
fn a_child_is_refused() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let mut inherited = Some(intake(&pipeline));
    inherited.as_ref().unwrap().push(&numbered(1)).unwrap();
    assert!(aqueduct_testkit::holds_in_a_child(|| {
        let intake = inherited.take().unwrap();
        let refused = intake.push(&numbered(2)) == Err(Refused::Forked);
        drop(intake);
        refused
    }));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1)]);
    assert_over(&lane(&pipeline));
}
