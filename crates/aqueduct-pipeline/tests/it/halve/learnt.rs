//! The size that is learnt from refusals, and forgotten when they were about something else.

use std::sync::Arc;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request};
use aqueduct_wire::Signal;

use super::{ids, spans};
use crate::scripted::{PATIENCE, Scripted, assert_conserved, batches_of, destination, lane, pipeline, quick};

/// Guards the memory of the destination: after the first batch the next ones are made smaller before they are sent, over all signals, and the
/// limit is tested so rarely that refusals stay the exception.
#[test]
fn the_size_is_learnt() {
    let exporter = Scripted::default();
    exporter.limit(4_000);
    let destination = destination("test", &exporter);
    let build = |destination: &Arc<Destination>| {
        let builder = Pipeline::builder(Signal::Traces).config(batches_of(100));
        builder.destination(Arc::clone(destination), LaneConfig::default()).build().unwrap()
    };
    let first = build(&destination);
    first.intake().offer(spans(0, &[200; 100])).unwrap();
    assert!(first.flush(PATIENCE).unwrap().complete);
    let refused = exporter.log().too_large.len();
    assert!((1..20).contains(&refused), "{refused}");
    let second = build(&destination);
    for batch in 1..100 {
        second.intake().offer(spans(batch * 100, &[200; 100])).unwrap();
        assert!(second.flush(PATIENCE).unwrap().complete);
    }
    let log = exporter.log();
    assert_eq!(ids(&log.delivered), (0..10_000).collect::<Vec<_>>());
    let later = log.too_large.len() - refused;
    assert!(later * 50 <= log.delivered.len(), "{later} of {} were refused", log.delivered.len());
    let fill = log.delivered.iter().map(Vec::len).sum::<usize>() / log.delivered.len();
    assert!(fill > 2_000, "requests of {fill} bytes on average");
}

/// Guards the learnt size against its own mistakes: what was learnt from a limit that has gone is forgotten.
#[test]
fn a_limit_that_has_gone_is_forgotten() {
    let exporter = Scripted::default();
    exporter.limit(8_000);
    let pipeline = pipeline(&exporter, 100);
    // How many requests so many batches become.
    let send = |batches: u64| {
        let before = exporter.log().delivered.len();
        (0..batches).for_each(|batch| pipeline.intake().offer(spans(batch * 100, &[100; 100])).unwrap());
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        exporter.log().delivered.len() - before
    };
    assert!(send(1) > 1);
    exporter.limit(0);
    for _ in 0..100 {
        send(50);
        if send(1) == 1 {
            return;
        }
    }
    panic!("after {} requests batches are still divided", exporter.log().delivered.len());
}

/// An exporter that finds everything too large that has this span in it.
struct Allergic(u64, Scripted);

impl Exporter for Allergic {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        let bytes: Vec<u8> = request.pieces().concat();
        if !bytes.windows(8).any(|window| window == self.0.to_be_bytes()) {
            return self.1.send(request);
        }
        Box::pin(async { Outcome::TooLarge(Failure::new(FailureKind::Http(413), "too large")) })
    }
}

/// Guards the batches that follow one with an item whose content is at fault: it alone is lost, and they are not made smaller because of it.
#[test]
fn one_bad_item_does_not_make_all_batches_small() {
    let exporter = Scripted::default();
    let allergic = Allergic(0x0123_4567_89AB_CDEF, exporter.clone());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(64))
        .destination(Arc::new(Destination::new("test", allergic, quick())), LaneConfig::default())
        .build()
        .unwrap();
    let mut requests = Vec::new();
    for batch in 0..9 {
        let first = if batch % 3 == 1 { 0x0123_4567_89AB_CDEF } else { batch * 64 };
        let before = exporter.log().delivered.len();
        pipeline.intake().offer(spans(first, &[100; 64])).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        requests.push(exporter.log().delivered.len() - before);
    }
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.dropped(DropReason::TooLarge), 3);
    assert_eq!(lane.ledger.delivered, 9 * 64 - 3);
    let whole = requests.iter().enumerate().filter(|(batch, _)| batch % 3 != 1).all(|(_, made)| *made == 1);
    assert!(whole, "{requests:?}");
    assert_conserved(&lane);
}

/// Guards the same before anything was delivered: a few requests later nothing is left of it.
#[test]
fn a_bad_item_at_the_very_start_is_forgotten() {
    let exporter = Scripted::default();
    let allergic = Allergic(0x0123_4567_89AB_CDEF, exporter.clone());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(512))
        .destination(
            Arc::new(Destination::new("test", allergic, quick())),
            LaneConfig::default().with_max_in_flight(1),
        )
        .build()
        .unwrap();
    let mut requests = Vec::new();
    for batch in 0..20 {
        let first = if batch == 0 { 0x0123_4567_89AB_CDEF } else { batch * 512 };
        let before = exporter.log().delivered.len();
        pipeline.intake().offer(spans(first, &[10; 512])).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        requests.push(exporter.log().delivered.len() - before);
    }
    assert!(requests[0] < 40 && requests[5..].iter().all(|made| *made == 1), "{requests:?}");
    assert_eq!(lane(&pipeline).ledger.dropped_total(), 1);
}

/// Guards against a time in which everything is refused: few attempts are made in vain, and afterwards few requests are small.
#[test]
fn a_time_of_refusals_is_forgotten() {
    let exporter = Scripted::default();
    exporter.limit(50);
    let pipeline = pipeline(&exporter, 2_000);
    let send = || {
        let before = exporter.log().delivered.len();
        pipeline.intake().offer(spans(0, &[100; 2_000])).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        exporter.log().delivered.len() - before
    };
    assert_eq!(send(), 0);
    let refused = lane(&pipeline);
    assert_eq!(refused.ledger.dropped(DropReason::TooLarge), 2_000);
    assert!(refused.attempts < 400, "{}", refused.attempts);
    exporter.limit(0);
    let requests: Vec<usize> = (0..20).map(|_| send()).collect();
    assert!(requests[0] < 200 && requests[10..].iter().all(|made| *made == 1), "{requests:?}");
    assert_conserved(&lane(&pipeline));
}
