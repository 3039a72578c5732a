//! Items in types of one's own, encoded on the thread that pushes them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{
    Destination, Encode, EncodingIntake, ItemSink, LaneConfig, LaneStatus, Overflow, Pipeline,
    PipelineConfig, Refused,
};
use aqueduct_testkit::{CountingAllocator, Oracle};
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{
    AttributeSink, ChunkBuilder, LogSource, ResourcePrefix, ScopePrefix, SpanSource, ValueRef, ValueSink,
};
use proptest::prelude::*;

use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane, quick};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A span that can be told from others, of about 50 bytes and `padding`.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    number: u64,
    padding: usize,
}

/// A text of the longest padding.
const PADDING: &str = match str::from_utf8(&[b'x'; 4096]) {
    Ok(text) => text,
    Err(_) => "",
};

impl SpanSource for Numbered {
    fn trace_id(&self) -> [u8; 16] {
        u128::from(self.number + 1).to_be_bytes()
    }

    fn span_id(&self) -> [u8; 8] {
        (self.number + 1).to_be_bytes()
    }

    fn name(&self) -> &str {
        "numbered"
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        out.push("padding", ValueRef::Str(&PADDING[..self.padding]));
    }
}

fn numbered(number: u64) -> Numbered {
    Numbered { number, padding: 10 }
}

fn resource() -> ResourcePrefix {
    ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("shop")))
}

fn scope() -> ScopePrefix {
    ScopePrefix::new("test", "1")
}

/// The way in for spans.
fn intake(pipeline: &Pipeline) -> EncodingIntake<impl Encode<Numbered> + use<>> {
    let scope = scope();
    pipeline.encoding_intake(resource(), move |span: &Numbered, out: &mut ItemSink<'_>| {
        out.push_span(&scope, span);
    })
}

/// Batches and chunks of this size, sealed by nothing else.
fn sized(items: u64, chunk_bytes: usize) -> PipelineConfig {
    let mut config = batches_of(items);
    config.chunk_bytes = chunk_bytes;
    config
}

fn build(exporter: &Scripted, config: PipelineConfig) -> Pipeline {
    build_with(exporter, config, LaneConfig::default())
}

fn build_with(exporter: &Scripted, config: PipelineConfig, lane: LaneConfig) -> Pipeline {
    let builder = Pipeline::builder(Signal::Traces).config(config);
    builder.destination(destination("test", exporter), lane).build().unwrap()
}

/// That exactly these spans were delivered, each once and whole.
#[track_caller]
fn assert_delivered(exporter: &Scripted, spans: impl IntoIterator<Item = Numbered>) {
    let mut builder = ChunkBuilder::new(Signal::Traces, resource());
    spans.into_iter().for_each(|span| builder.push_span(&scope(), &span));
    let mut oracle = Oracle::new();
    oracle.expect(Signal::Traces, builder.seal().bytes());
    exporter.log().delivered.iter().for_each(|request| oracle.receive(Signal::Traces, request));
    oracle.assert_exact();
}

/// At the end of a pipeline: everything was accounted for, nothing is left anywhere.
#[track_caller]
fn assert_over(lane: &LaneStatus) {
    assert_conserved(lane);
    assert_eq!((lane.held_items(), lane.encoding_items, lane.held_bytes), (0, 0, 0), "{lane:?}");
}

/// Guards the way of an item: in no ledger while its chunk is open, accepted when that is sealed, delivered as it was.
#[test]
fn items_are_accepted_when_their_chunk_is_sealed() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let intake = intake(&pipeline);
    (0..10).for_each(|number| intake.push(&numbered(number)).unwrap());
    let open = lane(&pipeline);
    assert_eq!((open.encoding_items, open.open_items, open.ledger.accepted), (10, 0, 0));
    assert_eq!(open.held_bytes, 64 << 10, "the whole chunk is reserved");
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let flushed = lane(&pipeline);
    assert_eq!((flushed.encoding_items, flushed.ledger.delivered, flushed.held_bytes), (0, 10, 0));
    intake.push(&numbered(10)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, (0..11).map(numbered));
    assert_over(&lane(&pipeline));
}

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

/// Guards against the loss of what is in open chunks when nobody can push any more.
#[test]
fn dropping_the_last_clone_seals_its_chunks() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let intake = intake(&pipeline);
    let clone = intake.clone();
    clone.push(&numbered(1)).unwrap();
    drop(clone);
    assert_eq!(lane(&pipeline).encoding_items, 1);
    drop(intake);
    let sealed = lane(&pipeline);
    assert_eq!((sealed.encoding_items, sealed.open_items), (0, 1));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1)]);
    assert_over(&lane(&pipeline));
}

/// Guards the age: an item that nothing follows leaves when a batch would have, and not after the age of a chunk and then that of a batch; and the chunks
/// of several intakes make one request.
#[test]
fn open_chunks_leave_together_at_the_age_of_a_batch() {
    const AGE: Duration = Duration::from_secs(1);
    let exporter = Scripted::default();
    let mut config = batches_of(1_000);
    config.batch = config.batch.with_max_age(AGE);
    let pipeline = build(&exporter, config);
    let (one, other) = (intake(&pipeline), intake(&pipeline));
    for round in 0..2 {
        let start = Instant::now();
        one.push(&numbered(2 * round)).unwrap();
        other.push(&numbered(2 * round + 1)).unwrap();
        exporter.wait_attempts(1 + round as usize);
        let took = start.elapsed();
        assert!(took >= AGE && took < 2 * AGE, "{took:?}");
    }
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().attempts, 2);
    assert_delivered(&exporter, (0..4).map(numbered));
    assert_over(&lane(&pipeline));
}

/// Guards the chunk from an encoder that panics: what was whole stays, the rest is not there, and the slot goes on.
#[test]
fn a_panic_of_the_encoder_costs_one_item() {
    struct Torn(Numbered);
    impl SpanSource for Torn {
        fn trace_id(&self) -> [u8; 16] {
            self.0.trace_id()
        }
        fn span_id(&self) -> [u8; 8] {
            self.0.span_id()
        }
        fn name(&self) -> &str {
            "torn"
        }
        fn attributes(&self, out: &mut AttributeSink<'_>) {
            self.0.attributes(out);
            panic!("on purpose");
        }
    }
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let scope = scope();
    // Odd numbers are written, and then torn ones.
    let intake = pipeline.encoding_intake(resource(), move |span: &Numbered, out: &mut ItemSink<'_>| {
        if span.number % 2 == 1 {
            out.push_span(&scope, span);
        }
        if span.number < 2 {
            out.push_span(&scope, &Torn(*span));
        }
    });
    assert_eq!(intake.push(&numbered(0)), Err(Refused::EncoderPanicked));
    assert_eq!(lane(&pipeline).held_bytes, 0, "nothing came of it, so no chunk is open");
    assert_eq!(intake.push(&numbered(1)), Err(Refused::EncoderPanicked));
    assert_eq!(lane(&pipeline).encoding_items, 1);
    assert_eq!(intake.push(&numbered(2)), Ok(()), "an item that is left out");
    assert_eq!(intake.push(&numbered(3)), Ok(()));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1), numbered(3)]);
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

/// Guards against a thread that waits for itself: an encoder that pushes items, deeper than there are slots, finds other slots and at last none, and gets
/// them all delivered.
#[test]
fn an_encoder_may_push() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let levels = 2 * thread::available_parallelism().unwrap().get().max(4) as u64 + 1;

    /// Pushes the next number while it encodes one.
    struct Nested {
        levels: u64,
        itself: Arc<Mutex<Option<EncodingIntake<Nested>>>>,
    }
    impl Encode<Numbered> for Nested {
        fn encode(&self, span: &Numbered, out: &mut ItemSink<'_>) {
            out.push_span(&scope(), span);
            if span.number + 1 < self.levels {
                let intake = self.itself.lock().unwrap().clone().unwrap();
                intake.push(&numbered(span.number + 1)).unwrap();
            }
        }
    }
    let itself: Arc<Mutex<Option<EncodingIntake<Nested>>>> = Arc::default();
    let nested = pipeline.encoding_intake(resource(), Nested { levels, itself: Arc::clone(&itself) });
    *itself.lock().unwrap() = Some(nested.clone());
    nested.push(&numbered(0)).unwrap();
    itself.lock().unwrap().take();
    assert!(lane(&pipeline).open_items > 0, "some found all slots busy");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, (0..levels).map(numbered));
    assert_over(&lane(&pipeline));
}

/// An intake whose encoder waits inside of the slot when it gets number 13, and tells so first.
fn held_up(
    pipeline: &Pipeline,
) -> (EncodingIntake<impl Encode<Numbered> + use<>>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let gates = Mutex::new((tell, released));
    let scope = scope();
    let intake = pipeline.encoding_intake(resource(), move |span: &Numbered, out: &mut ItemSink<'_>| {
        if span.number == 13 {
            let (tell, released) = &*gates.lock().unwrap();
            tell.send(()).unwrap();
            released.recv().unwrap();
        }
        out.push_span(&scope, span);
    });
    (intake, told, release)
}

/// Guards the deadline of a flush from an encoder that does not come to an end; everything else is delivered in the meantime, and what was in the way is by
/// whoever was inside, without a further call.
#[test]
fn a_flush_does_not_wait_for_an_encoder_for_ever() {
    let exporter = Scripted::default();
    let mut config = batches_of(1_000);
    config.batch = config.batch.with_max_age(Duration::from_millis(1));
    let pipeline = build(&exporter, config);
    let (intake, told, release) = held_up(&pipeline);
    thread::scope(|threads| {
        let stuck = threads.spawn(|| intake.push(&numbered(13)));
        told.recv_timeout(PATIENCE).unwrap();
        intake.push(&numbered(1)).unwrap();
        assert!(!pipeline.flush(Duration::from_millis(20)).unwrap().complete);
        exporter.wait_attempts(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(!runtime.block_on(pipeline.flush_async(PATIENCE)).unwrap().complete, "an item is on its way");
        release.send(()).unwrap();
        assert_eq!(stuck.join().unwrap(), Ok(()));
        // It was sealed on the way out, because the flush had asked, and leaves by the age of its batch.
        exporter.wait_attempts(2);
    });
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1), numbered(13)]);
    assert_over(&lane(&pipeline));
}

/// Guards the wait of a flush: it returns when the encoder is done, and what that had in its chunk is delivered by then.
#[test]
fn a_flush_waits_for_who_is_encoding() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let (intake, told, release) = held_up(&pipeline);
    thread::scope(|threads| {
        let busy = threads.spawn(|| {
            intake.push(&numbered(1)).unwrap();
            intake.push(&numbered(13)).unwrap();
        });
        told.recv_timeout(PATIENCE).unwrap();
        let flush = threads.spawn(|| pipeline.flush(PATIENCE).unwrap().complete);
        release.send(()).unwrap();
        assert!(flush.join().unwrap());
        busy.join().unwrap();
    });
    assert!(lane(&pipeline).ledger.delivered >= 1, "what was pushed before the flush");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1), numbered(13)]);
    assert_over(&lane(&pipeline));
}

/// Guards the account: what an encoder holds up past the end of a shutdown is dropped as that, and not lost.
#[test]
fn what_comes_out_after_the_shutdown_is_accounted_for() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let (intake, told, release) = held_up(&pipeline);
    thread::scope(|threads| {
        let stuck = threads.spawn(|| {
            intake.push(&numbered(1)).unwrap();
            intake.push(&numbered(13))
        });
        told.recv_timeout(PATIENCE).unwrap();
        // Another slot: that one is delivered.
        intake.push(&numbered(2)).unwrap();
        assert!(!pipeline.shutdown(Duration::from_millis(200)).unwrap().complete);
        assert_eq!(intake.push(&numbered(3)), Err(Refused::Closed));
        release.send(()).unwrap();
        assert_eq!(stuck.join().unwrap(), Ok(()));
    });
    let lane = lane(&pipeline);
    assert_eq!((lane.ledger.accepted, lane.ledger.dropped(DropReason::Shutdown)), (3, 2));
    assert_delivered(&exporter, [numbered(2)]);
    assert_over(&lane);
}

/// Guards the budget: an open chunk has its place in it, in all lanes or none, and gives back what it does not need; what is too long for its chunk is
/// charged in addition.
#[test]
fn an_open_chunk_is_reserved_in_the_budget() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = build_with(
        &exporter,
        batches_of(1_000),
        // For small budgets chunks have 1 KiB.
        LaneConfig::default().with_queue_bytes(1_500),
    );
    let (one, other) = (intake(&pipeline), intake(&pipeline));
    one.push(&numbered(1)).unwrap();
    assert_eq!(lane(&pipeline).held_bytes, 1_024);
    assert!(matches!(other.push(&numbered(2)), Err(Refused::Full { .. })));
    assert_eq!(lane(&pipeline).held_bytes, 1_024, "a refusal takes nothing");
    drop(one);
    let sealed = lane(&pipeline).held_bytes;
    assert!(sealed > 0 && sealed < 200, "{sealed}");
    other.push(&Numbered { number: 3, padding: 4_000 }).unwrap();
    let held = lane(&pipeline).held_bytes;
    assert!(held > sealed + 4_000, "{held}");
    assert_eq!(lane(&pipeline).encoding_items, 0, "it was sealed at once");
    assert!(matches!(other.push(&numbered(4)), Err(Refused::Full { .. })));
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_over(&lane(&pipeline));
}

/// Guards the chunk's limits: by bytes, and by the items of a batch.
#[test]
fn a_chunk_is_sealed_when_it_is_full() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, sized(1_000, 2_000));
    let by_bytes = intake(&pipeline);
    (0..100).for_each(|number| by_bytes.push(&numbered(number)).unwrap());
    let status = lane(&pipeline);
    assert_eq!(status.encoding_items + status.open_items, 100);
    assert!(status.encoding_items < 30 && status.open_items >= 70, "{status:?}");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);

    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(10));
    let by_items = intake(&pipeline);
    (0..25).for_each(|number| by_items.push(&numbered(number)).unwrap());
    let status = lane(&pipeline);
    assert_eq!((status.encoding_items, status.ledger.accepted), (5, 20));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().attempts, 3);
    assert_over(&lane(&pipeline));
}

/// Guards fan-out: every destination gets everything, and each lane's budget is whole again.
#[test]
fn every_lane_gets_every_item() {
    let exporters = [Scripted::default(), Scripted::default()];
    let mut builder = Pipeline::builder(Signal::Traces).config(sized(50, 2_000));
    for (name, exporter) in ["a", "b"].into_iter().zip(&exporters) {
        builder = builder.destination(destination(name, exporter), LaneConfig::default());
    }
    let pipeline = builder.build().unwrap();
    let intake = intake(&pipeline);
    (0..333).for_each(|number| intake.push(&numbered(number)).unwrap());
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    for (exporter, lane) in exporters.iter().zip(pipeline.status()) {
        assert_delivered(exporter, (0..333).map(numbered));
        assert_over(&lane);
    }
}

/// Guards the promise that a push allocates nothing once its thread has a chunk open, and for each chunk no more than a few objects.
#[test]
fn pushing_does_not_allocate() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000_000));
    let intake = intake(&pipeline);
    let round = || (0..300).for_each(|number| intake.push(&numbered(number)).unwrap());
    let (_, first) = CountingAllocator::count(round);
    assert!(first.count > 0, "the allocator counts");
    let (_, warm) = CountingAllocator::count(round);
    assert_eq!(warm.count, 0, "{warm:?}");
    // 100,000 spans of about 80 bytes fill 140 chunks.
    let (_, many) = CountingAllocator::count(|| (0..333).for_each(|_| round()));
    assert!(many.count > 0 && many.count < 1_000, "{many:?}");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_over(&lane(&pipeline));
}

/// Four threads push while another one flushes, and then shuts down beneath them: what was taken is delivered once and whole, what was refused is
/// not there, and the ledger says so.
#[test]
fn nothing_is_lost_between_pushes_flushes_and_a_shutdown() {
    for round in 0..if cfg!(debug_assertions) { 10 } else { 40 } {
        let exporter = Scripted::default();
        let mut config = sized(64, 1_500);
        config.shards = 1 + round % 3;
        config.batch = config.batch.with_max_age(Duration::from_micros(300));
        // So little that the threads cannot run far ahead of the pipeline's.
        let pipeline = build_with(&exporter, config, LaneConfig::default().with_queue_bytes(100_000));
        let intake = intake(&pipeline);
        let under_way = AtomicUsize::new(0);
        let mut complete = Vec::new();
        let taken: Vec<Numbered> = thread::scope(|threads| {
            let push = |thread: u64| {
                let mut taken = Vec::new();
                for number in 0.. {
                    let number = thread << 32 | number;
                    let span = Numbered { number, padding: (number % 90) as usize };
                    match intake.push(&span) {
                        Ok(()) => taken.push(span),
                        Err(Refused::Full { .. }) => thread::yield_now(),
                        Err(refused) => {
                            assert_eq!(refused, Refused::Closed);
                            return taken;
                        }
                    }
                    under_way.fetch_add(1, Ordering::Relaxed);
                }
                taken
            };
            let pushing: Vec<_> = (0..4).map(|thread| threads.spawn(move || push(thread))).collect();
            for flushes in 1..5 {
                while under_way.load(Ordering::Relaxed) < 500 * flushes {
                    thread::yield_now();
                }
                complete.push(pipeline.flush(PATIENCE).unwrap().complete);
            }
            complete.push(pipeline.shutdown(PATIENCE).unwrap().complete);
            pushing.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(complete, [true; 5]);
        let lane = lane(&pipeline);
        assert_eq!(lane.ledger.accepted, taken.len() as u64);
        assert_eq!(lane.ledger.delivered, taken.len() as u64);
        assert_delivered(&exporter, taken);
        assert_over(&lane);
    }
}

/// Guards a flush: what a thread has pushed before it is delivered after it, while others are pushing into the same slots.
#[test]
fn a_flush_delivers_what_was_pushed_before() {
    let exporter = Scripted::default();
    let lane_config = LaneConfig::default().with_queue_bytes(100_000);
    let mut config = batches_of(1_000_000);
    // Or a full budget would stay so between two flushes.
    config.batch = config.batch.with_max_age(Duration::from_millis(1));
    let pipeline = build_with(&exporter, config, lane_config);
    let intake = intake(&pipeline);
    let stop = AtomicBool::new(false);
    let taken = AtomicUsize::new(0);
    let mut missing = Vec::new();
    thread::scope(|threads| {
        // More threads than slots on a small machine, so that some share one.
        for _ in 0..6 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match intake.push(&numbered(1)) {
                        Ok(()) => _ = taken.fetch_add(1, Ordering::SeqCst),
                        Err(_) => thread::yield_now(),
                    }
                }
            });
        }
        for round in 1..21 {
            while taken.load(Ordering::SeqCst) < 50 * round {
                thread::yield_now();
            }
            let before = taken.load(Ordering::SeqCst) as u64;
            let report = pipeline.flush(PATIENCE).unwrap();
            missing.push((report.complete, before.saturating_sub(report.lanes[0].ledger.delivered)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(missing, [(true, 0); 20]);
    assert!(taken.load(Ordering::SeqCst) > 0);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(lane(&pipeline).ledger.delivered, taken.load(Ordering::SeqCst) as u64);
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever the sizes of chunks, batches, budgets and items: what was taken arrives as it was, and no budget is left charged.
    #[test]
    fn what_is_taken_arrives(
        chunk_bytes in 1_usize..4_000,
        batch in 1_u64..100,
        queue_bytes in prop_oneof![1_u64..5_000, Just(64 << 20)],
        steps in prop::collection::vec((0_usize..2_000, 0_u8..40), 1..200),
    ) {
        let exporter = Scripted::default();
        let pipeline = build_with(&exporter, sized(batch, chunk_bytes), LaneConfig::default().with_queue_bytes(queue_bytes));
        let intake = intake(&pipeline);
        let mut taken = Vec::new();
        for (number, (padding, step)) in steps.into_iter().enumerate() {
            let span = Numbered { number: number as u64, padding };
            match intake.push(&span) {
                Ok(()) => taken.push(span),
                Err(refused) => prop_assert!(matches!(refused, Refused::Full { .. }), "{refused}"),
            }
            if step == 0 {
                prop_assert!(pipeline.flush(PATIENCE).unwrap().complete);
                prop_assert_eq!(lane(&pipeline).ledger.delivered, taken.len() as u64);
            }
        }
        prop_assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        let lane = lane(&pipeline);
        prop_assert_eq!(lane.ledger.accepted, taken.len() as u64);
        assert_over(&lane);
        assert_delivered(&exporter, taken);
    }
}

/// Guards the end of a program from a thread that waits for room: it waits where it is in nobody's way, and what can be delivered is.
#[test]
fn who_waits_for_room_holds_up_no_shutdown() {
    let exporter = Scripted::new([Step::Retry(None)]);
    let mut patient = quick();
    patient.initial = Duration::from_secs(3_000);
    patient.cap = patient.initial;
    let mut config = sized(1, 1024);
    config.overflow = Overflow::Block(PATIENCE);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(config)
        .destination(
            Arc::new(Destination::new("test", exporter.clone(), patient)),
            LaneConfig::default().with_queue_bytes(1024),
        )
        .build()
        .unwrap();
    let spans = intake(&pipeline);
    spans.push(&numbered(1)).unwrap();
    exporter.wait_attempts(1);
    let (tell, told) = mpsc::channel();
    thread::scope(|threads| {
        threads.spawn(|| {
            tell.send(()).unwrap();
            // Room comes with the drain, and with it the end.
            let _ = spans.push(&numbered(2));
        });
        told.recv().unwrap();
        let start = Instant::now();
        assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        assert!(start.elapsed() < PATIENCE / 2);
    });
    assert_over(&lane(&pipeline));
}
