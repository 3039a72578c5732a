//! Batches that a destination finds too large: what fits is delivered in parts, what does not is dropped and counted.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aqueduct_exec::WorkerPoolConfig;
use aqueduct_metrics::{DropReason, Settled};
use aqueduct_pipeline::{Attempt, Delivery, Destination, Exporter, LaneConfig, Pipeline};
use aqueduct_testkit::Generator;
use aqueduct_transport::{Failure, FailureKind, Outcome, Request};
use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
use aqueduct_wire::{Chunk, Merged, Signal, filter, split, validate};
use proptest::prelude::*;
use tokio::sync::Notify;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane, pipeline, quick,
};

/// A span that is recognised by its id.
struct Span(u64, usize);

impl SpanSource for Span {
    fn trace_id(&self) -> [u8; 16] {
        [1; 16]
    }

    fn span_id(&self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    fn name(&self) -> &str {
        "span"
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        out.push("content", ValueRef::Bytes(&vec![7; self.1]));
    }
}

/// Spans with the ids from `first` on, of about these sizes.
fn spans(first: u64, sizes: &[usize]) -> Chunk {
    spans_of("shop", first, sizes)
}

/// The same, of a resource with this name.
fn spans_of(service: &str, first: u64, sizes: &[usize]) -> Chunk {
    let resource = ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str(service)));
    let mut builder = ChunkBuilder::new(Signal::Traces, resource);
    for (id, size) in (first..).zip(sizes) {
        builder.push_span(&ScopePrefix::new("scope", "1"), &Span(id, *size));
    }
    builder.seal()
}

/// The span ids in these requests, sorted, each of which is valid.
fn ids(requests: &[Vec<u8>]) -> Vec<u64> {
    let mut ids = Vec::new();
    for request in requests {
        let chunk = Chunk::validate(Signal::Traces, request.clone().into(), &Default::default()).unwrap();
        filter(&chunk, |span| {
            ids.push(u64::from_be_bytes(*span.span_id().unwrap()));
            true
        })
        .unwrap();
    }
    ids.sort_unstable();
    ids
}

fn wait(delivery: Delivery) -> Settled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, delivery).await.expect("it settles") })
}

/// Guards the parts: all items of a batch that is too large arrive, once, in requests that are not; and the account is whole.
#[test]
fn what_is_too_large_is_delivered_in_parts() {
    let exporter = Scripted::default();
    exporter.limit(3_000);
    let pipeline = pipeline(&exporter, 100);
    for first in 0..10 {
        pipeline.intake().offer(spans(first * 10, &[100; 10])).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let (log, lane) = (exporter.log(), lane(&pipeline));
    assert_eq!(ids(&log.delivered), (0..100).collect::<Vec<_>>());
    assert!(log.delivered.iter().all(|request| request.len() <= 3_000));
    // Half of the limit and more, or there would be more requests than needed; the last of a batch may be small.
    let small = log.delivered.iter().filter(|request| request.len() < 1_500).count();
    assert!(small <= log.delivered.len() / 2, "{:?}", log.delivered.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (100, 0));
    assert!(lane.splits > 0);
    assert_eq!(lane.retries, 0, "a part is no retry");
    assert_conserved(&lane);
}

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

/// Guards the small from the large: an item that is too large by itself is lost, and counted, and nothing else is.
#[test]
fn one_giant_among_many_is_dropped_alone() {
    let exporter = Scripted::default();
    exporter.limit(2_000);
    let pipeline = pipeline(&exporter, 64);
    let mut sizes = [100; 64];
    sizes[37] = 20_000;
    pipeline.intake().offer(spans(0, &sizes)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..64).filter(|id| *id != 37).collect::<Vec<_>>());
    assert_eq!((lane.ledger.dropped(DropReason::TooLarge), lane.ledger.dropped_total()), (1, 1));
    assert_conserved(&lane);
}

/// Guards items between what was learnt and what is true: larger than any request that is known to pass, an item is sent alone and not given up.
#[test]
fn only_the_destination_says_that_an_item_is_too_large() {
    let exporter = Scripted::default();
    exporter.limit(5_500);
    let pipeline = pipeline(&exporter, 40);
    let mut sizes = [150; 40];
    sizes[20] = 5_000;
    pipeline.intake().offer(spans(0, &sizes)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..40).collect::<Vec<_>>());
    assert_eq!(lane.ledger.dropped_total(), 0);
    assert_conserved(&lane);
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

/// A resource with a schema URL of 5,000 bytes and no spans.
fn nothing() -> Vec<u8> {
    let mut bytes = vec![0x0A, 0x8B, 0x27, 0x1A, 0x88, 0x27];
    bytes.resize(bytes.len() + 5_000, b'u');
    bytes
}

fn joined(records: &[&[u8]]) -> Chunk {
    Chunk::validate(Signal::Traces, records.concat().into(), &Default::default()).unwrap()
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

/// The trap of a header that is itself too large: every item would be sent with all of it, in vain, and others would wait for that.
#[test]
fn a_large_header_is_not_sent_with_every_item() {
    let exporter = Scripted::default();
    exporter.limit(10_000);
    let pipeline = pipeline(&exporter, 2_000);
    let service = "h".repeat(12_000);
    pipeline.intake().offer(spans_of(&service, 0, &[0; 1_990])).unwrap();
    pipeline.intake().offer(spans(10_000, &[10; 10])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert!(lane.attempts < 100, "{} attempts", lane.attempts);
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped(DropReason::TooLarge)), (10, 1_990));
    assert_conserved(&lane);
}

/// Guards items that fit: what stands beside them without items is not theirs, whether they are many or one.
#[test]
fn an_item_beside_an_envelope_of_nothing_is_delivered() {
    for (chunk, items) in [
        (joined(&[spans(20, &[5_000]).bytes(), &nothing(), spans(0, &[150; 40]).bytes()]), 41),
        (joined(&[spans(0, &[600]).bytes(), &nothing()]), 1),
    ] {
        let exporter = Scripted::default();
        exporter.limit(5_500);
        let pipeline = pipeline(&exporter, items);
        pipeline.intake().offer(chunk).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        let lane = lane(&pipeline);
        assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (items, 0));
        assert_conserved(&lane);
    }
}

/// Guards the pause of a destination that is down: what our own client does not send is no sign of life.
#[test]
fn our_own_refusal_ends_no_pause() {
    struct Own(Scripted);

    impl Exporter for Own {
        fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
            if request.uncompressed_len() <= 3_000 {
                return self.0.send(request);
            }
            Box::pin(async { Outcome::TooLarge(Failure::new(FailureKind::RequestTooLarge, "ours")) })
        }
    }

    let exporter = Scripted::new([Step::Retry(Some(Duration::from_millis(50)))]);
    let mut policy = quick();
    policy.max_attempts = Some(1);
    let destination = Arc::new(Destination::new("test", Own(exporter), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination, LaneConfig::default())
        .build()
        .unwrap();
    // The destination is paused, and the one who made it so has given up.
    pipeline.intake().offer(spans(0, &[10])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    // So this is the one that asks, after the pause.
    pipeline.intake().offer(spans(1, &[4_000])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(lane.ledger.dropped(DropReason::TooLarge), 1);
    assert!(lane.paused.is_some(), "{lane:?}");
}

/// Guards the budget and the small print: an envelope without items that is too large is not sent and not missed, and what it was charged is given back.
#[test]
fn an_envelope_of_nothing_is_left_out() {
    let exporter = Scripted::default();
    exporter.limit(1_000);
    let pipeline = pipeline(&exporter, 30);
    let chunk = joined(&[&nothing(), spans(0, &[100; 30]).bytes()]);
    assert_eq!(chunk.items(), 30);
    pipeline.intake().offer(chunk).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..30).collect::<Vec<_>>());
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (30, 0));
    assert_conserved(&lane);
}

/// Guards those who wait: each hears of its own items when the last of them has settled, whatever became of the rest of the batch.
#[test]
fn each_sender_hears_of_its_own_items() {
    let exporter = Scripted::default();
    exporter.limit(2_000);
    let pipeline = pipeline(&exporter, 60);
    let offer = |first, sizes: &[usize]| pipeline.intake().offer_acknowledged(spans(first, sizes)).unwrap();
    let small: Vec<_> = (0..4).map(|chunk| offer(chunk * 10, &[100; 10])).collect();
    let giant = offer(40, &[100, 100, 9_000, 100]);
    let last = offer(44, &[100; 16]);
    for delivery in small.into_iter().chain([last]) {
        assert_eq!(wait(delivery), Settled::Delivered);
    }
    assert_eq!(wait(giant), Settled::Dropped(DropReason::TooLarge));
    assert_eq!(lane(&pipeline).ledger.delivered, 59);
}

/// Guards partial success: what a part says of its items is said of nobody else's.
#[test]
fn a_partial_rejection_of_a_part_is_its_own() {
    // The batch is refused, and of the first part one item.
    let exporter = Scripted::new([Step::TooLarge, Step::Reject(1)]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    let offer = |first| pipeline.intake().offer_acknowledged(spans(first, &[100; 10])).unwrap();
    let (first, second) = (offer(0), offer(10));
    assert_eq!((wait(first), wait(second)), (Settled::Partial { rejected: 1 }, Settled::Delivered));
    // Who waits is told while the books are still open.
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!((lane.ledger.rejected, lane.ledger.delivered), (1, 19));
    assert_conserved(&lane);
}

/// Guards the retries: each part has its own. With two attempts allowed, the batch's refusal is none of them, and a part that has used up its own is
/// given up while the others are delivered.
#[test]
fn each_part_is_retried_by_itself() {
    let steps = [Step::TooLarge, Step::Retry(None), Step::Retry(None), Step::Retry(None), Step::Deliver];
    let exporter = Scripted::new(steps);
    let mut policy = quick();
    policy.max_attempts = Some(2);
    let destination = Arc::new(Destination::new("test", exporter.clone(), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination, LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 20])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    // The first part fails twice, the second once.
    let lost = lane.ledger.dropped(DropReason::MaxAge);
    assert!((8..=12).contains(&lost), "{lost}");
    assert_eq!(ids(&exporter.log().delivered), (lost..20).collect::<Vec<_>>());
    assert_eq!(lane.retries, 2);
    assert_conserved(&lane);
}

/// Guards the age: a part is as old as its batch, so that dividing does not make anything live longer.
#[test]
fn a_part_is_as_old_as_its_batch() {
    let pause = Duration::from_millis(600);
    let steps = [Step::Retry(Some(pause)), Step::TooLarge, Step::Retry(None), Step::Deliver];
    let exporter = Scripted::new(steps);
    let mut policy = quick();
    policy.max_elapsed = Some(Duration::from_millis(500));
    let destination = Arc::new(Destination::new("test", exporter.clone(), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination, LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 20])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert!((8..=12).contains(&lane.ledger.dropped(DropReason::MaxAge)), "{lane:?}");
    assert_eq!(lane.ledger.delivered + lane.ledger.dropped(DropReason::MaxAge), 20);
    assert_conserved(&lane);
}

/// Guards the flush: parts are of the batch that was there when it was called, so it waits for all of them. And the walk: a part under way and those not made
/// yet are held, and their bytes charged.
#[test]
fn a_flush_waits_for_parts() {
    let go = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::TooLarge, Step::Deliver, Step::Wait(Arc::clone(&go))]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    let chunk = spans(0, &[100; 20]);
    let whole = chunk.len() as u64;
    pipeline.intake().offer(chunk).unwrap();
    exporter.wait_attempts(3);
    assert!(!pipeline.flush(Duration::from_millis(20)).unwrap().complete);
    let held = lane(&pipeline);
    assert!((8..=12).contains(&held.held_items()), "{held:?}");
    assert!(held.held_bytes > 0 && held.held_bytes < whole, "{held:?}");
    assert_conserved(&held);
    go.notify_one();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(ids(&exporter.log().delivered), (0..20).collect::<Vec<_>>());
    assert_conserved(&lane(&pipeline));
}

/// Guards a shutdown in the middle: parts that were delivered, are under way, wait or are not made yet add up, and each is counted as what it was.
#[test]
fn a_shutdown_in_the_middle_accounts_for_every_part() {
    let steps = [Step::TooLarge, Step::Deliver, Step::Deliver, Step::Hang, Step::Hang];
    let exporter = Scripted::new(steps);
    exporter.limit(1_000);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(100))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(2))
        .build()
        .unwrap();
    let delivery = pipeline.intake().offer_acknowledged(spans(0, &[100; 100])).unwrap();
    exporter.wait_attempts(5);
    let report = pipeline.shutdown(Duration::from_millis(20)).unwrap();
    assert!(!report.complete);
    let lane = &report.lanes[0];
    assert_eq!(lane.ledger.delivered, ids(&exporter.log().delivered).len() as u64);
    assert!(lane.ledger.dropped(DropReason::UnknownOutcome) > 0);
    assert!(lane.ledger.dropped(DropReason::Shutdown) > 0);
    assert_eq!(lane.ledger.accepted, 100);
    assert_eq!((lane.ledger.held(), lane.held_bytes), (0, 0));
    assert_conserved(lane);
    assert!(matches!(wait(delivery), Settled::Dropped(DropReason::UnknownOutcome | DropReason::Shutdown)));
}

/// Guards a shutdown that has time: it delivers the parts that are not made yet.
#[test]
fn a_drain_delivers_the_parts() {
    let exporter = Scripted::default();
    exporter.limit(1_000);
    let pipeline = pipeline(&exporter, 100);
    pipeline.intake().offer(spans(0, &[100; 100])).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(ids(&exporter.log().delivered), (0..100).collect::<Vec<_>>());
}

/// Guards the others: the destination that takes more gets whole batches.
#[test]
fn another_destination_is_not_concerned() {
    let (small, large) = (Scripted::default(), Scripted::default());
    small.limit(1_000);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(50))
        .destination(destination("small", &small), LaneConfig::default())
        .destination(destination("large", &large), LaneConfig::default())
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 50])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(large.log().delivered.len(), 1);
    for exporter in [small, large] {
        assert_eq!(ids(&exporter.log().delivered), (0..50).collect::<Vec<_>>());
    }
    pipeline.status().iter().for_each(assert_conserved);
}

/// Guards the number of parts: they are made when they can be sent, so an outage does not find thousands of them.
#[test]
fn parts_are_made_when_they_can_be_sent() {
    let prepared = Arc::new(AtomicUsize::new(0));
    let pool = WorkerPoolConfig::default().with_threads(NonZeroUsize::MIN).build().unwrap();
    let exporter = Scripted::new([vec![Step::TooLarge], vec![Step::Hang; 100]].concat());
    let counting = Counting(exporter.clone(), Arc::clone(&prepared));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1_000))
        .destination(
            Arc::new(Destination::new("counting", counting, quick())),
            LaneConfig::default().with_max_in_flight(3),
        )
        .offload(pool.spawner())
        .build()
        .unwrap();
    // So that even halves of halves are prepared by the worker.
    pipeline.intake().offer(spans(0, &[1_000; 1_000])).unwrap();
    exporter.wait_attempts(3);
    std::thread::sleep(Duration::from_millis(50));
    let prepared = prepared.load(Ordering::Relaxed);
    assert!(prepared <= 1 + 3, "{prepared}");
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_conserved(&lane(&pipeline));
}

/// Counts what it prepares.
struct Counting(Scripted, Arc<AtomicUsize>);

impl Exporter for Counting {
    fn prepare(&self, batch: &Merged) -> Request {
        self.1.fetch_add(1, Ordering::Relaxed);
        Request::plain(batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        self.0.send(request)
    }
}

/// The items of a request and how often they occur.
fn tally<'a>(signal: Signal, requests: impl IntoIterator<Item = &'a [u8]>) -> BTreeMap<Vec<u8>, u64> {
    let mut tally = BTreeMap::new();
    for request in requests {
        let items = validate(signal, request, &Default::default()).unwrap().items;
        let chunk = Chunk::from_valid(signal, items, request.to_vec().into());
        filter(&chunk, |item| {
            *tally.entry(item.bytes().to_vec()).or_default() += 1;
            true
        })
        .unwrap();
    }
    tally
}

fn passing_troubles() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Deliver),
        1 => Just(Step::Retry(None)),
        1 => Just(Step::Refuse),
        1 => Just(Step::Panic),
        1 => Just(Step::TooLarge),
    ]
}

proptest! {
    /// Guards the law over requests of every kind, any limit and passing troubles: each item that fits alone arrives once, each that does not is dropped as
    /// too large, and nothing is held or charged in the end. (A refusal by the script may hit an item alone, which is lost then.)
    #[test]
    fn every_item_is_delivered_once_or_too_large(
        seed in any::<u64>(),
        signal in prop::sample::select(Signal::ALL.to_vec()),
        chunks in prop::collection::vec(1..40_usize, 1..10),
        limit in 100..30_000_usize,
        steps in prop::collection::vec(passing_troubles(), 0..8),
        in_flight in 1..5_usize,
        per_batch in 1..200_u64,
    ) {
        let refuses_at_will = steps.iter().any(|step| matches!(step, Step::TooLarge));
        let exporter = Scripted::new(steps);
        exporter.limit(limit);
        let pipeline = Pipeline::builder(signal)
            .config(batches_of(per_batch))
            .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(in_flight))
            .build()
            .unwrap();
        let mut generator = Generator::new(seed);
        let chunks: Vec<Chunk> = chunks.iter().map(|items| generator.chunk(signal, *items)).collect();
        let mut expected = BTreeMap::new();
        let (mut all, mut fitting) = (0, 0);
        for chunk in &chunks {
            for single in split(chunk, 1, usize::MAX).unwrap() {
                let single = single.unwrap();
                all += single.items();
                if single.len() <= limit {
                    fitting += single.items();
                    for (item, count) in tally(signal, [&single.to_bytes()[..]]) {
                        *expected.entry(item).or_insert(0) += count;
                    }
                }
            }
            pipeline.intake().offer(chunk.clone()).unwrap();
        }
        prop_assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        let (log, lane) = (exporter.log(), lane(&pipeline));
        let delivered = tally(signal, log.delivered.iter().map(Vec::as_slice));
        prop_assert!(log.delivered.iter().all(|request| request.len() <= limit));
        assert_conserved(&lane);
        prop_assert_eq!(lane.ledger.accepted, all);
        prop_assert_eq!(lane.ledger.delivered, delivered.values().sum::<u64>());
        prop_assert_eq!(lane.ledger.delivered + lane.ledger.dropped(DropReason::TooLarge), all);
        if refuses_at_will {
            prop_assert!(delivered.iter().all(|(item, count)| expected.get(item).is_some_and(|most| count <= most)));
        } else {
            prop_assert_eq!(lane.ledger.delivered, fitting);
            prop_assert_eq!(delivered, expected);
        }
    }
}

#[cfg(feature = "grpc")]
mod our_own_limit {
    use aqueduct_transport::{Client, ClientConfig, Protocol};

    use super::*;

    /// An exporter that asks a client first, which has no server.
    struct Asking(Client, Scripted);

    impl Exporter for Asking {
        fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
            Box::pin(async move {
                match self.0.send(request).await {
                    refused @ Outcome::TooLarge(_) => refused,
                    _ => self.1.send(request).await,
                }
            })
        }
    }

    /// Guards our own limit: what the client does not send because of its size becomes parts as well.
    #[test]
    fn the_limit_may_be_our_own() {
        let mut config = ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc);
        config.max_request_bytes = 2_000;
        let (client, exporter) = (Client::new(config).unwrap(), Scripted::default());
        let asking = Asking(client, exporter.clone());
        let pipeline = Pipeline::builder(Signal::Traces)
            .config(batches_of(50))
            .destination(Arc::new(Destination::new("test", asking, quick())), LaneConfig::default())
            .build()
            .unwrap();
        pipeline.intake().offer(spans(0, &[100; 50])).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        let log = exporter.log();
        assert_eq!(ids(&log.delivered), (0..50).collect::<Vec<_>>());
        assert!(log.delivered.iter().all(|request| request.len() <= 2_000));
        assert_conserved(&lane(&pipeline));
    }
}
