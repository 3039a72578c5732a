//! The counts, by asking and through a meter, and what becomes of each kind of item in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_metrics::Exposition;
use aqueduct_opentelemetry::{
    Aqueduct, AttributePool, AttributePoolConfig, CardinalityConfig, CardinalityLimiter, LocalTailConfig,
    METRICS,
};
use aqueduct_receiver::Answer;
use aqueduct_testkit::{ScriptedPeer, Step};
use aqueduct_transport::Protocol;
use aqueduct_wire::rpc::{Code, Status as RpcStatus};
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::{Collector, PATIENCE};

/// Spans with parents of each kind, one of them still live, and two log records.
fn work(telemetry: &Aqueduct) -> impl Sized + use<> {
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let tracer = tracers.tracer("test");
    tracer.start("root").end();
    let live = tracer.start("live");
    let local = Context::new().with_span(tracer.start("parent"));
    tracer.start_with_context("child", &local).end();
    let (trace, span) = (TraceId::from(1), SpanId::from(1));
    let remote = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
    let remote = Context::new().with_remote_span_context(remote);
    (0..2).for_each(|_| tracer.start_with_context("called", &remote).end());
    local.span().end();
    let logger = loggers.logger("test");
    (0..2).for_each(|_| logger.emit(logger.create_log_record()));
    (live, tracers, loggers)
}

/// Guards the page: each family, and each of its numbers.
#[test]
fn as_prometheus_text() {
    let telemetry = Collector::healthy().handle();
    let _live = work(&telemetry);
    assert!(telemetry.flush(PATIENCE).complete);
    let mut page = Exposition::new();
    telemetry.write_metrics(&mut page);
    let limiter = CardinalityLimiter::new(["user"], CardinalityConfig::default().with_max_values(1));
    let _ = ["anna", "bert", "anna"].map(|user| limiter.limit("user", user));
    let pool = AttributePool::new(AttributePoolConfig::default().with_max_entries(1));
    let _ = ["acme", "other", "acme"].map(|tenant| pool.value(tenant));
    let tail = telemetry.local_tail(&LocalTailConfig::new(Duration::ZERO, 0.0)).unwrap().tail();
    limiter.write_metrics("users", &mut page);
    pool.write_metrics("tenants", &mut page);
    tail.write_metrics("local", &mut page);
    let text = page.prometheus_text();
    for line in [
        "aqueduct_sdk_started_spans_total{parent_origin=\"none\",sampling_result=\"RECORD_AND_SAMPLE\"} 3",
        "aqueduct_sdk_started_spans_total{parent_origin=\"local\",sampling_result=\"RECORD_AND_SAMPLE\"} 1",
        "aqueduct_sdk_started_spans_total{parent_origin=\"remote\",sampling_result=\"RECORD_AND_SAMPLE\"} 2",
        "aqueduct_sdk_started_spans_total{parent_origin=\"remote\",sampling_result=\"RECORD_ONLY\"} 0",
        "aqueduct_sdk_live_spans{sampling_result=\"RECORD_AND_SAMPLE\"} 1",
        "aqueduct_sdk_created_logs_total 2",
        "aqueduct_sdk_queue_items{signal=\"traces\"} 0",
        "aqueduct_sdk_queue_capacity_items{signal=\"traces\"} 32768",
        "aqueduct_sdk_processed_items_total{signal=\"traces\",error_type=\"\"} 5",
        "aqueduct_sdk_in_flight_items{signal=\"traces\"} 0",
        "aqueduct_sdk_exported_items_total{signal=\"traces\",error_type=\"\"} 5",
        "aqueduct_sdk_exported_items_total{signal=\"logs\",error_type=\"\"} 2",
        "aqueduct_delivered_items_total{signal=\"traces\",destination=\"test\"} 5",
        "aqueduct_cardinality_values_total{limiter=\"users\",outcome=\"kept\"} 2",
        "aqueduct_cardinality_values_total{limiter=\"users\",outcome=\"overflowed\"} 1",
        "aqueduct_cardinality_admitted_values{limiter=\"users\",key=\"user\"} 1",
        "aqueduct_cardinality_displaced_values_total{limiter=\"users\",key=\"user\"} 0",
        "aqueduct_attribute_pool_texts_total{pool=\"tenants\",outcome=\"hit\"} 1",
        "aqueduct_attribute_pool_texts_total{pool=\"tenants\",outcome=\"miss\"} 1",
        "aqueduct_attribute_pool_texts_total{pool=\"tenants\",outcome=\"refused\"} 1",
        "aqueduct_attribute_pool_texts{pool=\"tenants\"} 1",
        "aqueduct_attribute_pool_bytes{pool=\"tenants\"} 100",
        "aqueduct_tail_sampling_capacity_bytes{pipeline=\"local\"} 67108864",
        "aqueduct_tail_sampling_held_spans{pipeline=\"local\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    // But for what nothing was left out of.
    let written = METRICS.iter().filter(|desc| text.contains(desc.name)).count();
    assert_eq!(written, METRICS.len() - 1);
}

/// Metrics by name, each point by its attributes.
type Seen = Arc<Mutex<BTreeMap<String, BTreeMap<String, f64>>>>;

struct Reader(Seen);

impl PushMetricExporter for Reader {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let shown = |attributes: &mut dyn Iterator<Item = &KeyValue>| {
            let mut all: Vec<String> =
                attributes.map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
            all.sort();
            all.join(" ")
        };
        let mut seen = self.0.lock().unwrap();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let points = seen.entry(metric.name().to_owned()).or_default();
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => sum.data_points().for_each(|point| {
                    points.insert(shown(&mut point.attributes()), point.value() as f64);
                }),
                AggregatedMetrics::I64(MetricData::Sum(sum)) => sum.data_points().for_each(|point| {
                    points.insert(shown(&mut point.attributes()), point.value() as f64);
                }),
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    histogram.data_points().for_each(|point| {
                        points.insert(shown(&mut point.attributes()), point.count() as f64);
                    });
                }
                other => panic!("{}: {other:?}", metric.name()),
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// Guards the names and attributes of the conventions, over a real connection.
#[test]
fn through_a_meter() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
    let builder = Aqueduct::builder().variables(|_| None).endpoint(peer.http_endpoint());
    let telemetry = builder.build().unwrap();
    let seen = Seen::default();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(Reader(Arc::clone(&seen))).build();
    telemetry.observe(&meters.meter("aqueduct"));
    let _live = work(&telemetry);
    assert!(telemetry.flush(PATIENCE).complete);
    meters.force_flush().unwrap();
    let seen = seen.lock().unwrap();
    let port = peer.http_address().port();
    let server = format!("server.address=127.0.0.1 server.port={port}");
    let of = |name: &str, attributes: &str| {
        let points = seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}"));
        let found = points.iter().find(|(labels, _)| {
            let labels = labels.replace("otel.component.", "");
            attributes.split(' ').all(|wanted| labels.contains(wanted))
        });
        *found.unwrap_or_else(|| panic!("no {attributes} in {name}: {points:?}")).1
    };
    let remote = "otel.span.parent.origin=remote otel.span.sampling_result=RECORD_AND_SAMPLE";
    assert_eq!(of("otel.sdk.span.started", remote), 2.0);
    assert_eq!(of("otel.sdk.span.live", "otel.span.sampling_result=RECORD_AND_SAMPLE"), 1.0);
    assert_eq!(of("otel.sdk.log.created", ""), 2.0);
    let processor = "type=aqueduct_span_processor name=aqueduct_span_processor/";
    assert_eq!(of("otel.sdk.processor.span.queue.size", processor), 0.0);
    assert_eq!(of("otel.sdk.processor.span.queue.capacity", processor), 32_768.0);
    assert_eq!(of("otel.sdk.processor.span.processed", processor), 5.0);
    assert_eq!(of("otel.sdk.processor.log.processed", "type=aqueduct_log_processor"), 2.0);
    let exporter = format!("type=otlp_http_span_exporter {server}");
    assert_eq!(of("otel.sdk.exporter.span.inflight", &exporter), 0.0);
    assert_eq!(of("otel.sdk.exporter.span.exported", &exporter), 5.0);
    assert_eq!(of("otel.sdk.exporter.log.exported", &format!("type=otlp_http_log_exporter {server}")), 2.0);
    let duration = "otel.sdk.exporter.operation.duration";
    for items in ["span", "log"] {
        let kind = format!("otlp_http_{items}_exporter");
        assert!(of(duration, &format!("type={kind} name={kind}/ {server}")) >= 1.0);
    }
    assert!(seen[duration].keys().all(|labels| !labels.contains("error.type")), "{seen:?}");
}

/// Guards what the durations say of an answer, in the conventions' words: the status of a call, and an error unless everything was taken.
#[test]
fn durations_say_how_an_attempt_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let partial = Answer::Partial { rejected: 1, message: "one is too old".to_owned() };
    for (protocol, answer, expected) in [
        (Protocol::Grpc, Answer::Accepted, "rpc.status_code=OK"),
        (Protocol::Grpc, partial.clone(), "error.type=rejected rpc.status_code=OK"),
        (Protocol::Grpc, bad(), "error.type=INVALID_ARGUMENT rpc.status_code=INVALID_ARGUMENT"),
        (Protocol::HttpProtobuf, Answer::Accepted, ""),
        (Protocol::HttpProtobuf, partial, "error.type=rejected"),
        (Protocol::HttpProtobuf, bad(), "error.type=400 http.response.status_code=400"),
    ] {
        let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
        peer.otherwise(Step::Answer(answer.clone()));
        let endpoint = if protocol == Protocol::Grpc { peer.grpc_endpoint() } else { peer.http_endpoint() };
        let builder = Aqueduct::builder().variables(|_| None).protocol(protocol).endpoint(endpoint);
        let telemetry = builder.build().unwrap();
        let seen = Seen::default();
        let meters = SdkMeterProvider::builder().with_periodic_exporter(Reader(Arc::clone(&seen))).build();
        telemetry.observe(&meters.meter("aqueduct"));
        let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
        tracers.tracer("test").start("one").end();
        assert!(telemetry.flush(PATIENCE).complete);
        meters.force_flush().unwrap();
        let seen = seen.lock().unwrap();
        let labels: Vec<&String> = seen["otel.sdk.exporter.operation.duration"].keys().collect();
        let [labels] = labels[..] else { panic!("one attempt: {labels:?}") };
        let about = |label: &&str| !label.starts_with("otel.component.") && !label.starts_with("server.");
        let found: Vec<&str> = labels.split(' ').filter(about).collect();
        assert_eq!(found.join(" "), expected, "{protocol:?} {answer:?}");
    }
}

fn bad() -> Answer {
    Answer::Status(RpcStatus::new(Code::InvalidArgument, "as a test wants it"))
}

/// Guards the count of live spans behind a tail sampler, which most spans never pass: who has ended is not live.
#[test]
fn what_a_tail_drops_is_not_live() {
    let telemetry = Collector::healthy().handle();
    let live = || {
        let spans = telemetry.snapshot().signals.remove(0).live;
        spans.iter().map(|count| count.spans).sum::<u64>()
    };
    let keep = LocalTailConfig::new(Duration::from_secs(3600), 0.0);
    let tracers =
        SdkTracerProvider::builder().with_span_processor(telemetry.local_tail(&keep).unwrap()).build();
    let tracer = tracers.tracer("test");
    let still = tracer.start("still live");
    for _ in 0..5 {
        tracer.start("fine, and dropped").end();
    }
    let mut failed = tracer.start("kept");
    failed.set_status(Status::error("no such item"));
    failed.end();
    assert_eq!(live(), 1);
    let root = Context::new().with_span(tracer.start("root"));
    tracer.start_with_context("held", &root).end();
    drop((still, root));
    assert_eq!(live(), 0);
}
