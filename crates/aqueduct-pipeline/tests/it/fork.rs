//! What a forked child makes of the pipeline that it inherits.
#![cfg(unix)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use aqueduct_pipeline::{
    Attempt, Destination, Exporter, ItemSink, LaneConfig, Pipeline, PipelineConfig, Refused, Worker,
};
use aqueduct_testkit::holds_in_a_child;
use aqueduct_transport::{Request, RetryPolicy};
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{ResourcePrefix, ScopePrefix, SpanSource};

use crate::scripted::{PATIENCE, Scripted, batches_of, chunk, destination, numbers, pipeline};

/// Makes itself anew in a child, and lets the test see what was made.
#[derive(Debug, Clone, Default)]
struct Anew {
    here: Scripted,
    made: Arc<OnceLock<Scripted>>,
}

impl Exporter for Anew {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        self.here.send(request)
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        Some(Box::new(self.made.get_or_init(Scripted::default).clone()))
    }
}

fn on(worker: Option<&Arc<Worker>>, exporter: &Anew, config: PipelineConfig) -> Pipeline {
    let destination = Arc::new(Destination::new("test", exporter.clone(), RetryPolicy::default()));
    let builder =
        Pipeline::builder(Signal::Traces).config(config).destination(destination, LaneConfig::default());
    match worker {
        Some(worker) => builder.worker(Arc::clone(worker)).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Guards the child of a pipeline that can be made anew: by its first offer, with nothing of the parent's in it. And the parent: what it holds is delivered once,
/// by itself.
#[test]
fn a_child_builds_anew_and_sends_only_its_own() {
    let exporter = Anew::default();
    let mut inherited = Some(on(None, &exporter, batches_of(1_000)));
    let mut way_in = Some(inherited.as_ref().unwrap().intake());
    for number in [1, 2] {
        way_in.as_ref().unwrap().offer(chunk(number)).unwrap();
    }
    assert!(holds_in_a_child(|| {
        let (pipeline, intake) = (inherited.take().unwrap(), way_in.take().unwrap());
        let idle = pipeline.status().remove(0);
        let waits_for_nothing = pipeline.flush(PATIENCE).unwrap().complete && exporter.made.get().is_none();
        intake.offer(chunk(3)).unwrap();
        let flushed = pipeline.flush(PATIENCE).unwrap();
        let lane = &flushed.lanes[0];
        let accounts = lane.ledger.accepted == 1 && lane.ledger.delivered == 1 && lane.held_items() == 0;
        let shut = pipeline.shutdown(PATIENCE).unwrap().complete;
        let closed = intake.offer(chunk(4)) == Err(Refused::Closed);
        let sent = numbers(&exporter.made.get().unwrap().log());
        drop((pipeline, intake));
        (idle.inherited, lane.inherited) == (2, 2)
            && idle.ledger.accepted == 0
            && waits_for_nothing
            && flushed.complete
            && accounts
            && shut
            && closed
            && sent == [3]
            && exporter.here.log().delivered.is_empty()
    }));
    let report = inherited.unwrap().shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_eq!(report.lanes[0].ledger.delivered, 2);
    assert_eq!(
        numbers(&exporter.here.log()),
        [1, 2],
        "the parent delivers what it took, and nobody else does"
    );
}

/// Guards items that are encoded on the way in: what an open chunk holds is the parent's, and the child opens its own.
#[test]
fn a_child_opens_chunks_of_its_own() {
    let exporter = Anew::default();
    let pipeline = on(None, &exporter, batches_of(1_000));
    let scope = ScopePrefix::new("test", "1");
    let spans =
        pipeline.encoding_intake(ResourcePrefix::new(|_| {}), move |id: &u64, out: &mut ItemSink<'_>| {
            out.push_span(&scope, &Span(*id));
        });
    spans.push(&1).unwrap();
    let mut inherited = Some((pipeline, spans));
    let names = |exporter: &Scripted| {
        let bytes = exporter.log().delivered.concat();
        [b"span 1", b"span 2"].map(|name| bytes.windows(name.len()).filter(|found| found == name).count())
    };
    assert!(holds_in_a_child(|| {
        let (pipeline, spans) = inherited.take().unwrap();
        spans.push(&2).unwrap();
        let report = pipeline.shutdown(PATIENCE).unwrap();
        drop((pipeline, spans));
        report.complete
            && report.lanes[0].ledger.delivered == 1
            && names(exporter.made.get().unwrap()) == [0, 1]
    }));
    let (pipeline, spans) = inherited.unwrap();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    drop(spans);
    assert_eq!((report.complete, report.lanes[0].ledger.delivered), (true, 1));
    assert_eq!(names(&exporter.here), [1, 0]);
}

struct Span(u64);

impl SpanSource for Span {
    fn trace_id(&self) -> [u8; 16] {
        [1; 16]
    }

    fn span_id(&self) -> [u8; 8] {
        [2; 8]
    }

    fn name(&self) -> &str {
        if self.0 == 1 { "span 1" } else { "span 2" }
    }

    fn start_time_unix_nano(&self) -> u64 {
        1
    }

    fn end_time_unix_nano(&self) -> u64 {
        2
    }
}

/// Guards the child of a pipeline whose exporter cannot be made anew: nothing hangs, everything says why, and one that is built there works.
#[test]
fn a_child_without_an_exporter_refuses() {
    let exporter = Scripted::default();
    let mut inherited = Some(pipeline(&exporter, 1_000));
    let intake = inherited.as_ref().unwrap().intake();
    intake.offer(chunk(1)).unwrap();
    let mut way_in = Some(intake);
    assert!(holds_in_a_child(|| {
        let (pipeline, intake) = (inherited.take().unwrap(), way_in.take().unwrap());
        let refused = intake.offer(chunk(2)) == Err(Refused::Forked) && intake.pressure().is_none();
        let flushed = pipeline.flush(PATIENCE).unwrap().complete;
        let shut = pipeline.shutdown(PATIENCE).unwrap();
        drop((pipeline, intake));
        let exporter = Scripted::default();
        let anew = self::pipeline(&exporter, 1_000);
        anew.intake().offer(chunk(3)).unwrap();
        let complete = anew.shutdown(PATIENCE).unwrap().complete;
        let told = shut.complete && shut.lanes[0].inherited == 1 && shut.lanes[0].ledger.accepted == 0;
        refused && flushed && told && complete && numbers(&exporter.log()) == [3]
    }));
    assert!(inherited.unwrap().shutdown(PATIENCE).unwrap().complete);
    assert_eq!(numbers(&exporter.log()), [1], "the parent delivers what it took, and nobody else does");
}

/// Guards a child that drops an inherited worker right after the pipeline on it, where there is no thread to join, and one that builds on it.
#[test]
fn a_child_starts_a_worker_of_its_own() {
    let worker = Arc::new(Worker::start("shared").unwrap());
    let exporter = Scripted::default();
    let built = Pipeline::builder(Signal::Traces)
        .config(batches_of(10))
        .destination(destination("test", &exporter), LaneConfig::default())
        .worker(Arc::clone(&worker))
        .build()
        .unwrap();
    let mut both = Some((built, worker));
    assert!(holds_in_a_child(|| {
        let (built, worker) = both.take().unwrap();
        let exporter = Scripted::default();
        let anew = Pipeline::builder(Signal::Traces)
            .destination(destination("test", &exporter), LaneConfig::default())
            .worker(Arc::clone(&worker))
            .build()
            .unwrap();
        anew.intake().offer(chunk(5)).unwrap();
        let complete = anew.shutdown(PATIENCE).unwrap().complete;
        drop((built, worker, anew));
        complete && numbers(&exporter.log()) == [5]
    }));
    assert!(both.unwrap().0.shutdown(PATIENCE).unwrap().complete);
}

/// Guards children that are forked at any moment: whatever the parent's threads do then, and whatever lock they hold, a child works and harms nobody.
#[test]
fn a_child_does_not_depend_on_the_locks_of_its_parent() {
    const CHILDREN: u64 = 40;
    let exporter = Anew::default();
    let pipeline = on(None, &exporter, batches_of(3));
    let stop = AtomicBool::new(false);
    let offered = thread::scope(|scope| {
        let busy: Vec<_> = (0..2)
            .map(|thread| {
                let (intake, pipeline, stop) = (pipeline.intake(), &pipeline, &stop);
                scope.spawn(move || {
                    let mut offered = 0;
                    while !stop.load(Ordering::Relaxed) {
                        intake.offer(chunk(offered)).unwrap();
                        offered += 1;
                        if offered % 64 == thread {
                            // Bounds what is held, and takes every lock there is.
                            pipeline.flush(PATIENCE).unwrap();
                            let _ = pipeline.status();
                        }
                    }
                    offered
                })
            })
            .collect();
        for number in 0..CHILDREN {
            assert!(holds_in_a_child(|| {
                pipeline.intake().offer(chunk(number)).unwrap();
                let report = pipeline.shutdown(PATIENCE).unwrap();
                report.complete && numbers(&exporter.made.get().unwrap().log()) == [number]
            }));
        }
        stop.store(true, Ordering::Relaxed);
        busy.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_eq!(report.lanes[0].ledger.delivered, offered, "the parent is unharmed");
    assert_eq!(numbers(&exporter.here.log()).len() as u64, offered, "and nothing came twice");
}
