//! Many threads, many scopes, one processor.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use aqueduct_opentelemetry::{LocalTailConfig, NotTaken};
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor as _};

use crate::collector::{Collector, PATIENCE};

/// Guards the accounts under contention, and that no span ends up in another one's scope.
#[test]
fn each_span_arrives_once_in_its_scope() {
    const THREADS: usize = 4;
    const SPANS: usize = 2_000;
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    thread::scope(|threads| {
        for number in 0..THREADS {
            let provider = &provider;
            threads.spawn(move || {
                // Scopes of their own, and one that all share.
                let scopes = [format!("thread {number}"), "shared".to_owned(), format!("other {number}")];
                let tracers = scopes
                    .map(|name| provider.tracer_with_scope(InstrumentationScope::builder(name).build()));
                for span in 0..SPANS {
                    let tracer = &tracers[span % tracers.len()];
                    tracer.start(format!("{number} {span}")).end();
                }
            });
        }
    });
    let report = telemetry.shutdown(PATIENCE);
    let all = (THREADS * SPANS) as u64;
    assert_eq!((report.complete, report.delivered(), report.lost()), (true, all, 0), "{report}");
    let mut names = Vec::new();
    for scope in collector.traces().resource_spans.into_iter().flat_map(|resource| resource.scope_spans) {
        let place = scope.scope.unwrap().name;
        for span in scope.spans {
            let (thread, number) = span.name.split_once(' ').unwrap();
            let expected = match number.parse::<usize>().unwrap() % 3 {
                0 => format!("thread {thread}"),
                1 => "shared".to_owned(),
                _ => format!("other {thread}"),
            };
            assert_eq!(place, expected);
            names.push(span.name);
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len() as u64, all);
}

/// Guards the accounts against an end that comes while threads go on: what ended before is delivered, what ended after is counted as that, and no span is in neither.
#[test]
fn a_shutdown_amid_the_work_loses_count_of_nothing() {
    const THREADS: u64 = 3;
    for round in 0..12 {
        let collector = Collector::healthy();
        let telemetry = collector.handle();
        // Keeps everything, or all but what it keeps is on its way at any time.
        let tail = telemetry.local_tail(&LocalTailConfig::new(Duration::ZERO, 1.0)).unwrap();
        let plain = telemetry.span_processor();
        let (stop, ended) = (AtomicBool::new(false), AtomicU64::new(0));
        let begun = std::sync::Barrier::new(THREADS as usize + 1);
        thread::scope(|threads| {
            for _ in 0..THREADS {
                threads.spawn(|| {
                    let mut span = crate::generate::a_span(true);
                    span.parent_span_id = opentelemetry::trace::SpanId::INVALID;
                    begun.wait();
                    while !stop.load(Ordering::Relaxed) {
                        if round % 2 == 0 {
                            plain.on_end(span.clone())
                        } else {
                            tail.on_end(span.clone())
                        }
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            begun.wait();
            while ended.load(Ordering::Relaxed) < 100 {
                thread::yield_now();
            }
            match round % 3 {
                0 => assert!(telemetry.flush(PATIENCE).complete),
                1 => assert!(telemetry.shutdown(PATIENCE).complete),
                _ => plain.shutdown_with_timeout(PATIENCE).and(tail.shutdown_with_timeout(PATIENCE)).unwrap(),
            }
            stop.store(true, Ordering::Relaxed);
        });
        let report = telemetry.shutdown(PATIENCE);
        let late: u64 = report.signals[0].not_taken.iter().map(|(_, items)| items).sum();
        assert!(report.complete, "{report}");
        assert!(
            report.signals[0].not_taken.iter().all(|(why, _)| *why == NotTaken::AlreadyShutdown),
            "{report}"
        );
        assert_eq!(report.delivered() + late, ended.load(Ordering::Relaxed), "{report}");
        assert_eq!(collector.spans().len() as u64, report.delivered());
    }
}
