//! Encoders that panic, that push items themselves, and that do not come to an end.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Encode, EncodingIntake, ItemSink, Pipeline, Refused};
use aqueduct_wire::encode::{AttributeSink, SpanSource};

use super::{Numbered, assert_delivered, assert_over, build, numbered, resource, scope};
use crate::scripted::{PATIENCE, Scripted, batches_of, lane};

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
