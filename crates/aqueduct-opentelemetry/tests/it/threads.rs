//! Many threads, many scopes, one processor.

use std::thread;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

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
