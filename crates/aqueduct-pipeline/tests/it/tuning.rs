//! Pipelines that are observed and tuned.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Breaker, Destination, LaneConfig, Observer, Parameters, Pipeline, Tuner};
use aqueduct_sampling::{RateConfig, RateSampler, Target};
use aqueduct_transport::{Client, ClientConfig, Compression, Protocol, RetryPolicy};
use aqueduct_tune::{Algorithm, Bounds, Knob, Outcome, Snapshot, Value};
use aqueduct_wire::Signal;

use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, lane};

const WINDOW: Duration = Duration::from_secs(1);

/// Windows end when the test says so: the clock of a tuner is an argument.
struct Windows {
    end: Instant,
}

impl Windows {
    fn new() -> Self {
        Self { end: Instant::now() + WINDOW }
    }

    fn next(&mut self) -> Instant {
        self.end += WINDOW;
        self.end
    }
}

fn offer(pipeline: &Pipeline, items: u64) {
    let intake = pipeline.intake();
    (0..items).for_each(|number| intake.offer(chunk(number)).unwrap());
}

/// Guards that a window has what happened in it, once, and that the books of the ledger and of the snapshot are the same.
#[test]
fn a_window_has_what_happened_in_it() {
    let retry = Step::Retry(Some(Duration::ZERO));
    let exporter = Scripted::new([retry, Step::Deliver, Step::Reject(2), Step::Permanent]);
    let pipeline = crate::scripted::pipeline(&exporter, 4);
    let mut windows = Windows::new();
    let mut observer = Observer::new([&pipeline], windows.end);
    offer(&pipeline, 14);
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let seen = observer.observe(windows.next());
    assert_eq!(seen.window, WINDOW);
    assert_eq!((seen.offered_items, seen.accepted_items, seen.refused_items), (14, 14, 0));
    // Three batches are full and one is flushed; one is tried twice, of one a part is rejected, one is not taken.
    assert_eq!((seen.sealed.items, seen.sealed.other, seen.sealed.age), (3, 1, 0));
    assert_eq!((seen.requests, seen.requests_succeeded, seen.retries), (5, 3, 1));
    let ledger = lane(&pipeline).ledger;
    assert_eq!((seen.delivered_items, seen.rejected_items), (ledger.delivered, ledger.rejected));
    let permanent = ledger.dropped(DropReason::Permanent);
    assert_eq!(seen.dropped_items[DropReason::Permanent.index()], permanent);
    assert!(permanent > 0 && ledger.rejected == 2);
    assert_eq!(seen.bytes_in, 14 * 8);
    assert_eq!(seen.batch_fill, Some(14.0 / 16.0));
    assert!(seen.export_p99 >= seen.export_p50 && seen.export_p50.is_some() && seen.wait_p99.is_some());
    assert_eq!(seen.in_flight_limit, 32);
    assert_eq!(seen.compression_ratio, None, "what was sent twice says nothing");

    let next = observer.observe(windows.next());
    let nothing =
        (next.offered_items, next.delivered_items, next.requests, next.sealed.items, next.bytes_sent);
    assert_eq!(nothing, (0, 0, 0, 0, 0));
    assert_eq!((next.export_p99, next.wait_p99, next.batch_fill), (None, None, None));
    assert_conserved(&lane(&pipeline));
    drop(pipeline);
    // Whoever looks at it does not keep it.
    let Snapshot { held_bytes, queue_bytes, .. } = observer.observe(windows.next());
    assert_eq!((held_bytes, queue_bytes), (0, 0));
}

/// Guards what a tuner says it does: it does it, and it can be taken back.
#[test]
fn changes_are_applied() {
    let exporter = Scripted::default();
    let pipeline = crate::scripted::pipeline(&exporter, 1_000);
    let mut bounds = Bounds::default();
    bounds.batch_items = 2..=8;
    bounds.in_flight = 5..=7;
    let mut windows = Windows::new();
    let mut tuner = Tuner::new([&pipeline], &bounds);
    assert_eq!(tuner.auto().parameters().batch_bytes, Some(batches_of(1).batch.max_bytes));
    let changes = tuner.step(windows.next());
    // The settings were outside of the bounds.
    let items = changes.iter().find(|change| change.knob == Knob::BatchItems).unwrap();
    assert_eq!((items.old, items.new), (Value::Count(1_000), Value::Count(8)));
    offer(&pipeline, 8);
    exporter.wait_attempts(1);
    // What the pipeline is asked for and has already is no change.
    let mut same = Parameters::default();
    same.batch_items = Some(8);
    same.max_in_flight = Some(7);
    assert!(pipeline.apply(&same).changes.is_empty());
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
}

/// Guards a whole search: batches of one item cannot be enough where each request waits for the next, and the tuner finds out.
#[test]
fn small_batches_grow() {
    let exporter = Scripted::default();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("test", &exporter), LaneConfig::default())
        .build()
        .unwrap();
    let mut bounds = Bounds::default();
    bounds.batch_items = 1..=64;
    let mut windows = Windows::new();
    let mut tuner = Tuner::new([&pipeline], &bounds);
    // Nothing else is to be found here, and the time that attempts take is noise.
    for knob in Knob::ALL.into_iter().filter(|knob| *knob != Knob::BatchItems) {
        tuner.freeze(knob);
    }
    let mut changes = 0;
    for _ in 0..40 {
        offer(&pipeline, 64);
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        changes += tuner.step(windows.next()).len();
        let items = tuner.auto().parameters().batch_items;
        // What it believes is what is.
        let mut same = Parameters::default();
        same.batch_items = items;
        assert!(pipeline.apply(&same).changes.is_empty(), "after {changes} changes");
    }
    assert!(changes > 0 && !tuner.auto().history().is_empty());
    assert!(tuner.score() > 0.0 && tuner.score() <= 100.0);
    let before = tuner.auto().parameters().batch_items;
    if let Some(undone) = tuner.undo(windows.next()) {
        assert_ne!(tuner.auto().parameters().batch_items, before);
        assert_eq!(undone.knob, Knob::BatchItems);
    }
    assert_conserved(&lane(&pipeline));
}

/// Guards against a tuner that believes in what nobody did.
#[test]
fn what_cannot_be_applied_is_left_alone() {
    let mut config = ClientConfig::new("http://127.0.0.1:9", Protocol::Grpc);
    config.compression = Compression::Gzip(9);
    let client = Arc::new(Client::new(config).unwrap());
    let backend = Arc::new(Destination::new("client", Arc::clone(&client), RetryPolicy::default()));
    let file = destination("file", &Scripted::default());
    let pipeline = Pipeline::builder(Signal::Logs)
        .destination(backend, LaneConfig::default())
        .destination(file, LaneConfig::default())
        .build()
        .unwrap();
    let mut bounds = Bounds::default();
    bounds.compression_level = 1..=3;
    let mut tuner = Tuner::new([&pipeline], &bounds);
    let found = *tuner.auto().parameters();
    // As it will be: within the bounds.
    assert_eq!((found.compression, found.compression_level), (Some(Algorithm::Gzip), Some(3)));
    assert_eq!(client.codec(), Compression::Gzip(9));
    assert_eq!((found.connections, found.queue_bytes), (Some(client.max_connections() as u64), None));
    // One destination has no compression that could be set; the other has.
    tuner.step(Windows::new().next());
    assert_eq!(client.codec(), Compression::Gzip(3));
    assert!(!tuner.auto().is_frozen(Knob::CompressionLevel));

    let alone = crate::scripted::pipeline(&Scripted::default(), 1);
    let sampler = RateSampler::new(&RateConfig::new(Target::Ratio(0.5))).unwrap();
    let mut bounds = Bounds::default();
    bounds.sampling_rate = Some(0.01..=0.02);
    let mut tuner = Tuner::new([&alone], &bounds).with_sampling(sampler.handle());
    assert_eq!(tuner.auto().parameters().compression, None, "it has none");
    tuner.step(Windows::new().next());
    assert!(sampler.handle().probability() < 0.021);
    assert!(tuner.auto().history().iter().all(|entry| !matches!(entry.outcome, Outcome::NotApplied(_))));
}

/// Guards one owner per setting: where pipelines differ, somebody meant it.
#[test]
fn what_differs_is_left_alone() {
    let one = crate::scripted::pipeline(&Scripted::default(), 100);
    let other = crate::scripted::pipeline(&Scripted::default(), 200);
    let tuner = Tuner::new([&one, &other], &Bounds::default());
    let found = tuner.auto().parameters();
    assert_eq!((found.batch_items, found.max_in_flight), (None, Some(32)));
}

/// Guards a tuner on its own thread: it steps, can be looked at, and ends when it is dropped, whatever the window is.
#[test]
fn a_running_tuner_steps_and_ends() {
    let exporter = Scripted::default();
    let pipeline = crate::scripted::pipeline(&exporter, 1_000);
    let mut bounds = Bounds::default();
    bounds.batch_items = 1..=8;
    let running = Tuner::new([&pipeline], &bounds).spawn(Duration::from_millis(10)).unwrap();
    // Its first step brings the batches within their bounds, and then eight items are a batch.
    offer(&pipeline, 8);
    exporter.wait_attempts(1);
    assert_eq!(running.parameters().batch_items, Some(8));
    assert!(running.history().is_empty());
    drop(running);
    let slow = Tuner::new([&pipeline], &bounds).spawn(Duration::from_secs(86_400)).unwrap();
    let began = Instant::now();
    drop(slow);
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(pipeline.health().lanes[0].breaker, Breaker::Closed);
}

/// Guards the target for the CPU from end to end: a thread of ours that works brings the probability of the sampler down, a target that is far away leaves it, and
/// both say why.
#[cfg(target_os = "linux")]
#[test]
fn sampling_follows_the_cpu() {
    use std::sync::mpsc;

    let (work, orders) = mpsc::channel::<()>();
    let (tell, done) = mpsc::channel::<()>();
    let spin = move || {
        for () in orders {
            std::hint::black_box((0..2_000_000_u64).map(std::hint::black_box).sum::<u64>());
            tell.send(()).unwrap();
        }
    };
    let thread = std::thread::Builder::new().name("aqueduct-spins".to_owned()).spawn(spin).unwrap();
    let pipeline = crate::scripted::pipeline(&Scripted::default(), 1);
    let mut bounds = Bounds::default();
    bounds.sampling_rate = Some(0.01..=1.0);
    let start = Instant::now();
    let run = |cores: f64, windows: u32| {
        let sampler = RateSampler::ratio(0.5).unwrap();
        let mut tuner = Tuner::new([&pipeline], &bounds).with_sampling_cpu(sampler.handle(), cores);
        for window in 1..=windows {
            work.send(()).unwrap();
            done.recv().unwrap();
            tuner.step(start + WINDOW * window);
        }
        let history = tuner.auto().history().to_string();
        (sampler.handle().probability(), tuner.snapshot().telemetry_cpu_used, history)
    };
    // A twentieth of a millisecond a second.
    let (probability, used, history) = run(0.000_05, 8);
    assert!(probability < 0.011, "{probability}: {history}");
    assert!(used.is_some_and(|used| used > 0.000_1), "{used:?}");
    assert!(history.starts_with("sampling_rate: ") && history.contains("more CPU than it may"), "{history}");
    let (probability, _, history) = run(1_000.0, 8);
    assert!(probability > 0.99 && history.contains("may use more CPU"), "{probability}: {history}");
    drop(work);
    thread.join().unwrap();
}
