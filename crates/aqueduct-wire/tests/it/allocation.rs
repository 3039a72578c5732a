//! Counting, validating and reading allocate nothing.

use crate::oracle::Request;
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::view::{self, Attributes, MetricData, Value};
use aqueduct_wire::{Limits, Signal, scan, validate};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn allocations(work: impl FnOnce()) -> u64 {
    CountingAllocator::count(work).1.count
}

/// Guards the promise in the docs of `scan` and `validate`, with requests that have every field.
#[test]
fn validate_and_scan_allocate_nothing() {
    assert!(allocations(|| drop(Vec::<u8>::with_capacity(10))) > 0, "the counter counts");
    for signal in Signal::ALL {
        for seed in 0..100 {
            let bytes = Request::generate(signal, seed).encode();
            let count = allocations(|| {
                assert!(scan(signal, &bytes).is_ok());
                assert!(validate(signal, &bytes, &Limits::DEFAULT).is_ok());
            });
            assert_eq!(count, 0);
        }
    }
}

/// Guards the promise in the docs of `view`: a walk over everything, down to the values in values.
#[test]
fn views_allocate_nothing() {
    let mut seen = 0;
    for signal in Signal::ALL {
        for seed in 0..100 {
            let bytes = Request::generate(signal, seed).encode();
            assert_eq!(allocations(|| seen += walk(signal, &bytes)), 0);
        }
    }
    assert!(seen > 10_000, "{seen}");
}

fn walk(signal: Signal, bytes: &[u8]) -> usize {
    match signal {
        Signal::Metrics => {
            let scopes =
                view::Metrics::new(bytes).resource_metrics().flat_map(|record| record.scope_metrics());
            scopes.flat_map(|scope| scope.metrics()).map(metric).sum()
        }
        Signal::Logs => {
            let scopes = view::Logs::new(bytes).resource_logs().flat_map(|record| record.scope_logs());
            let records = scopes.flat_map(|scope| scope.log_records());
            records
                .map(|record| {
                    let all = record.fields();
                    all.severity_text.len() + record.body().map_or(0, value) + attributes(record.attributes())
                })
                .sum()
        }
        _ => {
            let records = view::Traces::new(bytes).resource_spans();
            let resources = records.clone().filter_map(|record| record.resource());
            let spans =
                records.flat_map(|record| record.scope_spans()).flat_map(|scope| scope.spans()).map(|span| {
                    let events: usize = span.events().map(|event| attributes(event.attributes())).sum();
                    let links: usize = span.links().map(|link| attributes(link.attributes())).sum();
                    let status = span.status().map_or(0, |status| status.message().len());
                    span.fields().name.len() + attributes(span.attributes()) + events + links + status
                });
            spans.sum::<usize>() + resources.map(|resource| attributes(resource.attributes())).sum::<usize>()
        }
    }
}

fn metric(metric: view::Metric<'_>) -> usize {
    match metric.data() {
        Some(MetricData::Gauge(data)) => {
            data.data_points().map(|point| attributes(point.attributes()) + point.exemplars().count()).sum()
        }
        Some(MetricData::Sum(data)) => data.data_points().map(|point| attributes(point.attributes())).sum(),
        Some(MetricData::Histogram(data)) => data
            .data_points()
            .map(|point| point.bucket_counts().count() + point.explicit_bounds().count())
            .sum(),
        Some(MetricData::ExponentialHistogram(data)) => data
            .data_points()
            .map(|point| point.positive().map_or(0, |buckets| buckets.bucket_counts().count()))
            .sum(),
        Some(MetricData::Summary(data)) => {
            data.data_points().map(|point| point.quantile_values().count()).sum()
        }
        _ => 0,
    }
}

fn attributes(attributes: Attributes<'_>) -> usize {
    attributes.iter().map(|attribute| attribute.key().as_str().len() + value(attribute.value())).sum()
}

fn value(of: Value<'_>) -> usize {
    match of {
        Value::Str(text) => text.as_str().len(),
        Value::Array(array) => array.iter().map(value).sum(),
        Value::KvList(list) => attributes(list.attributes()),
        _ => 1,
    }
}
