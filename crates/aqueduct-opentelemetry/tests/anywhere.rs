//! Flushing and shutting down from wherever a program may be, whatever the collector does: always in time, and with a collector that answers, complete.
//!
//! A program of its own, because a panic hook is one for the whole process.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aqueduct_opentelemetry::{Aqueduct, Report};
use aqueduct_pipeline::{Attempt, Destination, Exporter};
use aqueduct_transport::{Failure, FailureKind, Outcome, Request, RetryPolicy};
use aqueduct_wire::Signal;
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as _};
use tokio::runtime::{Builder, Runtime};

/// For a collector that answers. No test waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one that does not.
const SHORT: Duration = Duration::from_millis(30);
const SPANS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Healthy,
    Refusing,
    Hanging,
}

#[derive(Clone, Debug)]
struct Collector {
    manner: Manner,
    /// Items that were taken, in all signals.
    taken: Arc<AtomicU64>,
}

impl Exporter for Collector {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        Box::pin(async move {
            match self.manner {
                Manner::Healthy => {
                    self.taken.fetch_add(request.items(), Ordering::Relaxed);
                    Outcome::Delivered
                }
                Manner::Refusing => {
                    Outcome::Retry { after: None, failure: Failure::new(FailureKind::Connect, "refused") }
                }
                Manner::Hanging => std::future::pending().await,
            }
        })
    }

    fn rebuild(&self) -> Option<Box<dyn Exporter>> {
        Some(Box::new(self.clone()))
    }
}

/// A service: a handle, and the three providers, with ten spans and a log record.
struct Service {
    collector: Collector,
    telemetry: Aqueduct,
    tracers: SdkTracerProvider,
    loggers: SdkLoggerProvider,
}

fn span() -> SpanData {
    let sampled = TraceFlags::SAMPLED;
    SpanData {
        span_context: SpanContext::new(TraceId::from(1), SpanId::from(1), sampled, false, TraceState::NONE),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "span".into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: Default::default(),
        instrumentation_scope: Default::default(),
    }
}

impl Manner {
    const ALL: [Manner; 3] = [Manner::Healthy, Manner::Refusing, Manner::Hanging];

    fn deadline(self) -> Duration {
        if self == Manner::Healthy { PATIENCE } else { SHORT }
    }

    fn telemetry(self) -> (Collector, Aqueduct) {
        let collector = Collector { manner: self, taken: Arc::default() };
        let destination = Destination::new("test", collector.clone(), RetryPolicy::default());
        let telemetry = Aqueduct::builder()
            .variables(|_| None)
            .destination(Arc::new(destination))
            .flush_timeout(self.deadline())
            .drop_deadline(self.deadline())
            .build()
            .expect("valid");
        (collector, telemetry)
    }

    fn service(self) -> Service {
        let (collector, telemetry) = self.telemetry();
        let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
        let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
        let service = Service { collector, telemetry, tracers, loggers };
        service.work();
        service
    }
}

impl Service {
    fn work(&self) {
        let tracer = self.tracers.tracer("test");
        (0..SPANS).for_each(|_| tracer.in_span("span", |_| ()));
        let logger = self.loggers.logger("test");
        logger.emit(logger.create_log_record());
    }

    /// Holds a flush and a shutdown of the providers and of the handle against what they promise.
    fn check(&self) {
        let (manner, start) = (self.collector.manner, Instant::now());
        let healthy = manner == Manner::Healthy;
        assert_eq!(self.tracers.force_flush().is_ok(), healthy, "{manner:?}");
        let flushed = self.telemetry.flush(manner.deadline());
        let ended = self.tracers.shutdown_with_timeout(manner.deadline());
        assert_eq!(ended.is_ok(), healthy, "{manner:?}");
        let shut = self.telemetry.shutdown(manner.deadline());
        assert!(start.elapsed() < PATIENCE, "{manner:?}");
        self.judge(&flushed, &shut);
    }

    fn judge(&self, flushed: &Report, shut: &Report) {
        let (manner, all) = (self.collector.manner, SPANS + 1);
        let healthy = manner == Manner::Healthy;
        assert_eq!(flushed.complete, healthy, "{manner:?}: {flushed}");
        let expected = if healthy { (all, 0) } else { (0, all) };
        assert_eq!((shut.delivered(), shut.lost()), expected, "{manner:?}: {shut}");
        assert_eq!(self.collector.taken.load(Ordering::Relaxed), shut.delivered(), "{manner:?}");
    }
}

fn runtimes() -> Vec<(&'static str, Runtime)> {
    let multi =
        |threads| Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("threads");
    let current = Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Without I/O and time, which are none of ours.
    let bare = Builder::new_current_thread().build().expect("a runtime");
    vec![
        ("bare", bare),
        ("current_thread", current),
        ("multi_thread(1)", multi(1)),
        ("multi_thread(2)", multi(2)),
    ]
}

/// Guards programs without a runtime.
#[test]
fn without_a_runtime() {
    for manner in Manner::ALL {
        manner.service().check();
    }
}

/// Guards the oldest complaint there is: an exporter that waits for the very runtime on which its caller waits for it.
#[test]
fn inside_any_runtime() {
    for (name, runtime) in runtimes() {
        for manner in Manner::ALL {
            println!("{name} {manner:?}");
            runtime.block_on(async { manner.service().check() });
            // On the only thread that there is, for three of the runtimes.
            let task = async move { manner.service().check() };
            runtime.block_on(async { tokio::spawn(task).await.expect("it holds") });
            let waiting = async {
                let service = manner.service();
                let flushed = service.telemetry.flush_async(manner.deadline()).await;
                let shut = service.telemetry.shutdown(manner.deadline());
                service.judge(&flushed, &shut);
            };
            runtime.block_on(waiting);
        }
    }
}

/// Guards the SDK's own threads over our exporters: the reader of metrics, and the stock batch processor, whose flush and shutdown wait for an export.
#[test]
fn behind_the_sdks_own_threads() {
    let check = |manner: Manner| {
        let service = manner.service();
        let meters =
            SdkMeterProvider::builder().with_periodic_exporter(service.telemetry.metric_exporter()).build();
        meters.meter("test").u64_counter("count").build().add(1, &[]);
        let tracers =
            SdkTracerProvider::builder().with_batch_exporter(service.telemetry.span_exporter()).build();
        tracers.tracer("test").in_span("span", |_| ());
        let (start, healthy) = (Instant::now(), manner == Manner::Healthy);
        assert_eq!(meters.force_flush().is_ok(), healthy, "{manner:?}");
        // The stock processor does not say what its exports say.
        let _ = tracers.force_flush();
        let shut = service.telemetry.shutdown(manner.deadline());
        let _ = tracers.shutdown();
        let _ = meters.shutdown();
        assert!(start.elapsed() < PATIENCE, "{manner:?}");
        // Ten spans and a log record, one span more, and a point.
        assert_eq!(shut.delivered(), if healthy { SPANS + 3 } else { 0 }, "{manner:?}: {shut}");
    };
    for manner in Manner::ALL {
        check(manner);
        for (_, runtime) in runtimes() {
            runtime.block_on(async { check(manner) });
        }
    }
}

/// Guards the end of a program: what is dropped there is delivered first, inside a runtime or not.
#[test]
fn from_a_destructor() {
    let end = || {
        let Service { collector, telemetry, tracers, loggers } = Manner::Healthy.service();
        drop((telemetry, tracers, loggers));
        assert_eq!(collector.taken.load(Ordering::Relaxed), SPANS + 1);
    };
    end();
    runtimes().into_iter().for_each(|(_, runtime)| runtime.block_on(async { end() }));
}

/// Guards the same end with a collector that does not answer: it comes in time. Without the SDK's providers, which give each of their processors five seconds.
#[test]
fn from_a_destructor_in_time() {
    for manner in [Manner::Refusing, Manner::Hanging] {
        let end = || {
            let (collector, telemetry) = manner.telemetry();
            let exporter = telemetry.span_exporter();
            // In the pipeline by the call; nobody waits for the collector.
            drop(exporter.export(vec![span()]));
            let start = Instant::now();
            drop((telemetry, exporter));
            assert!(start.elapsed() < PATIENCE, "{manner:?}");
            assert_eq!(collector.taken.load(Ordering::Relaxed), 0, "{manner:?}");
        };
        end();
        runtimes().into_iter().for_each(|(_, runtime)| runtime.block_on(async { end() }));
    }
}

/// Guards the last words of a program: a panic hook flushes, on the thread that panics.
#[test]
fn from_a_panic_hook() {
    let services: Arc<Mutex<Vec<Service>>> = Arc::default();
    let seen = Arc::clone(&services);
    panic::set_hook(Box::new(move |_| {
        if thread::current().name() == Some("panics") {
            seen.lock().expect("not poisoned").pop().expect("one for each panic").check();
        }
    }));
    let panics = || {
        for manner in Manner::ALL {
            services.lock().expect("not poisoned").push(manner.service());
            assert!(panic::catch_unwind(AssertUnwindSafe(|| panic!("as a program may"))).is_err());
        }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("panics".to_owned()).spawn_scoped(scope, || {
            panics();
            for (_, runtime) in runtimes() {
                runtime.block_on(async { panics() });
            }
        });
        thread.expect("a thread").join().expect("each panic was caught");
    });
    let _ = panic::take_hook();
    assert!(services.lock().expect("not poisoned").is_empty(), "the hook ran each time");
}

/// Guards who calls from within: a filter and a redactor that flush, end spans of their own and shut down, while the item that they look at is in nobody's hands.
#[test]
fn from_within_a_hook() {
    for manner in Manner::ALL {
        for hook in ["filter", "redactor"] {
            let collector = Collector { manner, taken: Arc::default() };
            let destination = Destination::new("test", collector.clone(), RetryPolicy::default());
            type Own = Arc<OnceLock<(Aqueduct, SdkTracerProvider)>>;
            let own = Own::default();
            let (busy, calls) = (Arc::new(Mutex::new(false)), Arc::new(AtomicU64::new(0)));
            let act = {
                let (own, calls) = (Arc::clone(&own), Arc::clone(&calls));
                move || {
                    let (telemetry, tracers) = own.get().expect("it was set");
                    // Not within its own doing.
                    if std::mem::replace(&mut *busy.lock().expect("not poisoned"), true) {
                        return;
                    }
                    tracers.tracer("hook").in_span("of the hook", |_| ());
                    telemetry.flush(SHORT);
                    let _ = tracers.force_flush();
                    let _ = telemetry.health();
                    let _ = telemetry.snapshot();
                    calls.fetch_add(1, Ordering::Relaxed);
                    *busy.lock().expect("not poisoned") = false;
                }
            };
            let builder = Aqueduct::builder()
                .variables(|_| None)
                .destination(Arc::new(destination))
                .flush_timeout(SHORT)
                .drop_deadline(SHORT);
            let builder = match hook {
                "filter" => builder.filter_spans(move |_| {
                    act();
                    aqueduct_opentelemetry::Verdict::Export
                }),
                _ => builder.redact(move |_, _| {
                    act();
                    aqueduct_opentelemetry::Redaction::Keep
                }),
            };
            let telemetry = builder.build().expect("valid");
            let tracers =
                SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
            own.set((telemetry.clone(), tracers.clone())).expect("once");
            let start = Instant::now();
            for _ in 0..3 {
                let mut span = tracers.tracer("test").start("span");
                opentelemetry::trace::Span::set_attribute(&mut span, opentelemetry::KeyValue::new("k", 1));
                drop(span);
            }
            let report = telemetry.shutdown(manner.deadline());
            assert!(start.elapsed() < PATIENCE, "{manner:?} {hook}");
            assert_eq!(calls.load(Ordering::Relaxed), 3, "{manner:?} {hook}");
            let expected = if manner == Manner::Healthy { (6, 0) } else { (0, 6) };
            assert_eq!((report.delivered(), report.lost()), expected, "{manner:?} {hook}: {report}");
        }
    }
}

/// Guards deadlines without end: they are no instants that there are not.
#[test]
fn deadlines_without_end() {
    let collector = Collector { manner: Manner::Healthy, taken: Arc::default() };
    let destination = Destination::new("test", collector.clone(), RetryPolicy::default());
    let telemetry = Aqueduct::builder()
        .variables(|_| None)
        .destination(Arc::new(destination))
        .flush_timeout(Duration::MAX)
        .drop_deadline(Duration::MAX)
        .build()
        .expect("valid");
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let exporter = telemetry.span_exporter();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    tracers.tracer("test").in_span("span", |_| ());
    tracers.force_flush().expect("it flushes");
    tracers.tracer("test").in_span("span", |_| ());
    assert!(telemetry.flush(Duration::MAX).complete);
    tracers.tracer("test").in_span("span", |_| ());
    assert!(runtime.block_on(telemetry.flush_async(Duration::MAX)).complete);
    runtime.block_on(exporter.export(vec![span()])).expect("it exports");
    tracers.tracer("test").in_span("span", |_| ());
    tracers.shutdown_with_timeout(Duration::MAX).expect("it shuts down");
    assert!(telemetry.self_test(Duration::MAX).checks.is_empty());
    assert!(telemetry.shutdown(Duration::MAX).complete);
    assert_eq!(collector.taken.load(Ordering::Relaxed), 5);
    drop((telemetry, tracers, exporter));
}

/// Guards the pipelines' thread against a handler that panics on it.
#[test]
fn a_handler_of_notices_that_panics() {
    let (collector, told) = (Manner::Refusing, Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&told);
    let collector = Collector { manner: collector, taken: Arc::default() };
    let destination = Destination::new("test", collector, RetryPolicy::default());
    let telemetry = Aqueduct::builder()
        .variables(|_| None)
        .destination(Arc::new(destination))
        .notices(move |_, _, _| {
            seen.fetch_add(1, Ordering::Relaxed);
            panic!("as a handler should not")
        })
        .build()
        .expect("valid");
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    (0..SPANS).for_each(|_| tracers.tracer("test").in_span("span", |_| ()));
    assert!(!telemetry.flush(SHORT).complete);
    let report = telemetry.shutdown(SHORT);
    assert_eq!((report.delivered(), report.lost()), (0, SPANS), "{report}");
    assert!(told.load(Ordering::Relaxed) > 0);
}

/// Guards the pipelines' thread against ending itself: a handler of notices lets go of the last handle there.
#[test]
fn the_last_handle_is_dropped_by_its_own_thread() {
    let collector = Collector { manner: Manner::Refusing, taken: Arc::default() };
    let destination = Destination::new("test", collector, RetryPolicy::default());
    let last: Arc<Mutex<Option<Aqueduct>>> = Arc::default();
    let (tell, told) = std::sync::mpsc::channel();
    let (held, tell) = (Arc::clone(&last), Mutex::new(tell));
    let telemetry = Aqueduct::builder()
        .variables(|_| None)
        .destination(Arc::new(destination))
        .drop_deadline(SHORT)
        .notices(move |_, _, _| {
            if let Some(telemetry) = held.lock().expect("not poisoned").take() {
                let report = telemetry.flush(PATIENCE);
                drop(telemetry);
                let _ = tell.lock().expect("not poisoned").send((report, thread::current().id()));
            }
        })
        .build()
        .expect("valid");
    drop(telemetry.span_exporter().export(vec![span()]));
    let start = Instant::now();
    *last.lock().expect("not poisoned") = Some(telemetry);
    let (report, thread) = told.recv_timeout(PATIENCE).expect("it was dropped");
    assert!(!report.complete && report.error.is_some(), "{report}");
    assert_ne!(thread, thread::current().id());
    assert!(start.elapsed() < PATIENCE);
}

/// Guards the end of a forked child that never used what it inherited: it comes, and sends nothing of its parent's.
#[cfg(unix)]
#[test]
fn a_child_that_only_ends() {
    for manner in Manner::ALL {
        let mut inherited = Some(manner.service());
        assert!(aqueduct_testkit::holds_in_a_child(|| {
            let Service { collector, telemetry, tracers, loggers } =
                inherited.take().expect("the child's copy");
            let before = collector.taken.load(Ordering::Relaxed);
            drop((telemetry, tracers, loggers));
            collector.taken.load(Ordering::Relaxed) == before
        }));
        inherited.expect("the parent's").check();
    }
}

/// Guards a forked child: it has threads, connections and counts of its own, sends its own spans only, and leaves what it inherited to its parent.
#[cfg(unix)]
#[test]
fn after_a_fork() {
    let forks = |manner: Manner| {
        let mut inherited = Some(manner.service());
        assert!(aqueduct_testkit::holds_in_a_child(|| {
            let service = inherited.take().expect("the child's copy");
            let waits_for_nothing = service.telemetry.flush(PATIENCE).complete;
            let before = service.collector.taken.load(Ordering::Relaxed);
            service.work();
            let flushed = service.telemetry.flush(manner.deadline());
            let ended = service.tracers.shutdown_with_timeout(manner.deadline());
            let shut = service.telemetry.shutdown(manner.deadline());
            let healthy = manner == Manner::Healthy;
            let all = SPANS + 1;
            let taken = service.collector.taken.load(Ordering::Relaxed) - before;
            let traces = service
                .telemetry
                .snapshot()
                .signals
                .into_iter()
                .find(|signal| signal.signal == Signal::Traces);
            let started: u64 =
                traces.map_or(0, |traces| traces.started.iter().map(|count| count.spans).sum());
            waits_for_nothing
                && flushed.complete == healthy
                && ended.is_ok() == healthy
                && (shut.delivered(), shut.lost()) == if healthy { (all, 0) } else { (0, all) }
                && taken == shut.delivered()
                && started == SPANS
        }));
        inherited.expect("the parent's").check();
    };
    for manner in Manner::ALL {
        forks(manner);
        // The child has the runtime's memory, and of its threads the one that forked.
        for (_, runtime) in runtimes() {
            runtime.block_on(async { forks(manner) });
        }
    }
}
