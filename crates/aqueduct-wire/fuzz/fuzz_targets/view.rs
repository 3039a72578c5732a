//! Views never fail: on valid bytes they see as many items as were counted, on any other bytes they see something or nothing.
#![no_main]

use aqueduct_wire::view::{Attributes, Logs, MetricData, Metrics, Traces, Value};
use aqueduct_wire::{Limits, Signal, validate};
use aqueduct_wire_fuzz::request;
use libfuzzer_sys::fuzz_target;

/// Looks at everything down to a bounded depth; how much there was.
fn attributes(attributes: Attributes<'_>) -> usize {
    attributes.iter().map(|attribute| attribute.key().as_str().len() + value(attribute.value(), 0)).sum()
}

fn value(seen: Value<'_>, depth: usize) -> usize {
    if depth == 30 {
        return 0;
    }
    match seen {
        Value::Str(text) => text.as_str().len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(array) => array.iter().map(|inner| value(inner, depth + 1)).sum(),
        Value::KvList(list) => list.attributes().iter().map(|inner| value(inner.value(), depth + 1)).sum(),
        _ => 1,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((signal, request)) = request(data) else { return };
    let (mut items, mut seen) = (0, 0);
    match signal {
        Signal::Traces => {
            for resource in Traces::new(request).resource_spans() {
                seen += resource.resource().map_or(0, |resource| attributes(resource.attributes()));
                for span in resource.scope_spans().flat_map(|scope| scope.spans()) {
                    items += 1;
                    seen += attributes(span.attributes()) + span.name().len() + span.fields().name.len();
                    seen += span.events().map(|event| attributes(event.attributes())).sum::<usize>();
                    seen += span.links().map(|link| attributes(link.attributes())).sum::<usize>();
                    seen += span.status().map_or(0, |status| status.message().len());
                }
            }
        }
        Signal::Logs => {
            for resource in Logs::new(request).resource_logs() {
                for record in resource.scope_logs().flat_map(|scope| scope.log_records()) {
                    items += 1;
                    seen += attributes(record.attributes()) + record.body().map_or(0, |body| value(body, 0));
                }
            }
        }
        _ => {
            for resource in Metrics::new(request).resource_metrics() {
                for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
                    seen += metric.name().len();
                    items += match metric.data() {
                        Some(MetricData::Gauge(data)) => {
                            data.data_points().map(|p| seen += attributes(p.attributes())).count()
                        }
                        Some(MetricData::Sum(data)) => {
                            data.data_points().map(|p| seen += attributes(p.attributes())).count()
                        }
                        Some(MetricData::Histogram(data)) => data
                            .data_points()
                            .map(|p| seen += p.bucket_counts().count() + p.explicit_bounds().count())
                            .count(),
                        Some(MetricData::ExponentialHistogram(data)) => data
                            .data_points()
                            .map(|p| seen += p.positive().map_or(0, |b| b.bucket_counts().count()))
                            .count(),
                        Some(MetricData::Summary(data)) => {
                            data.data_points().map(|p| seen += p.quantile_values().count()).count()
                        }
                        _ => 0,
                    } as u64;
                }
            }
        }
    }
    std::hint::black_box(seen);
    if let Ok(summary) = validate(signal, request, &Limits::NONE) {
        assert_eq!(items, summary.items);
    }
});
