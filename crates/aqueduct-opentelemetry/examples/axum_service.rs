//! A service on axum whose spans, logs and metrics go through Aqueduct: `cargo run -p aqueduct-opentelemetry --example axum_service`, and then
//! `curl http://127.0.0.1:3000/orders/7`.
//!
//! It sends to `OTEL_EXPORTER_OTLP_ENDPOINT`. On Ctrl-C it answers what is under way, delivers what it holds, and says what came of it. With `--once` it brings a
//! collector of its own, asks itself for some orders, and looks at what has arrived.
#![allow(clippy::print_stdout, reason = "the reports are what it is for")]

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_opentelemetry::{Aqueduct, Propagator, Report};
use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, serve};
use opentelemetry::context::FutureExt;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--once") {
        return once::run().await;
    }
    let telemetry = Aqueduct::builder().service_name("orders").build()?;
    println!("{}", telemetry.self_test(DEADLINE));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let interrupted = async {
        // Without a handler nobody can ask for the end: then it ends at once.
        let _ = tokio::signal::ctrl_c().await;
    };
    println!("{}", run(listener, telemetry, interrupted).await?);
    Ok(())
}

/// Serves until it is told to end, then delivers what it holds.
async fn run(
    listener: TcpListener,
    telemetry: Aqueduct,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Report, Box<dyn Error>> {
    let tracers = SdkTracerProvider::builder()
        .with_span_processor(telemetry.span_processor())
        .with_sampler(telemetry.sampler())
        .with_id_generator(telemetry.id_generator())
        .with_span_limits(telemetry.span_limits())
        .build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();
    let meter = meters.meter("orders");
    telemetry.observe(&meter);
    let service = Arc::new(Service {
        tracer: tracers.tracer("orders"),
        logger: loggers.logger("orders"),
        orders: meter.u64_counter("orders.found").build(),
        duration: meter.f64_histogram("http.server.request.duration").with_unit("s").build(),
    });
    let router = Router::new()
        .route("/orders/{id}", get(order))
        .layer(from_fn_with_state(Arc::clone(&service), observe))
        .with_state(service);
    serve(listener, router).with_graceful_shutdown(end).await?;

    // Both wait for the collector, and so on a thread that may.
    let ended = tokio::task::spawn_blocking(move || {
        // Collects for the last time.
        meters.shutdown()?;
        Ok::<Report, opentelemetry_sdk::error::OTelSdkError>(telemetry.shutdown(DEADLINE))
    });
    Ok(ended.await??)
}

struct Service {
    tracer: SdkTracer,
    logger: SdkLogger,
    orders: Counter<u64>,
    duration: Histogram<f64>,
}

impl Service {
    /// Writes a line of the log, with the ids of the span that is active.
    fn log(&self, severity: Severity, text: &'static str, id: u64) {
        let mut record = self.logger.create_log_record();
        record.set_severity_number(severity);
        record.set_body(text.into());
        record.add_attribute("order.id", AnyValue::Int(id.cast_signed()));
        self.logger.emit(record);
    }
}

async fn order(State(service): State<Arc<Service>>, Path(id): Path<u64>) -> (StatusCode, String) {
    let found = service.tracer.in_span("find order", |_| id != 0);
    if !found {
        service.log(Severity::Error, "no order has this id", id);
        return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
    }
    service.log(Severity::Info, "found", id);
    service.orders.add(1, &[]);
    (StatusCode::OK, format!("order {id}\n"))
}

/// Around each request: a span that goes on from the caller's, active while the request is handled, and a measurement.
async fn observe(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let parent = Propagator::new().extract_with_context(&Context::new(), &Headers(request.headers()));
    let method = request.method().to_string();
    // The pattern, not the path: a name for each order would be a name too many.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = service
        .tracer
        .span_builder(format!("{method} {route}"))
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", method.clone()),
            KeyValue::new("http.route", route.clone()),
            KeyValue::new("url.path", request.uri().path().to_owned()),
        ])
        .start_with_context(&service.tracer, &parent);
    let context = parent.with_span(span);

    let response = next.run(request).with_context(context.clone()).await;

    let status = response.status();
    let code = KeyValue::new("http.response.status_code", i64::from(status.as_u16()));
    let span = context.span();
    span.set_attribute(code.clone());
    if status.is_server_error() {
        span.set_status(Status::error(status.as_str().to_owned()));
    }
    span.end();
    let attributes = [KeyValue::new("http.request.method", method), KeyValue::new("http.route", route), code];
    service.duration.record(begin.elapsed().as_secs_f64(), &attributes);
    response
}

/// The headers of a request, for a propagator.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<&str> = self.0.get_all(key).iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then_some(values)
    }
}

/// The service, its collector and its clients in one process.
mod once {
    use std::collections::BTreeSet;

    use aqueduct_testkit::ScriptedPeer;
    use aqueduct_wire::Signal;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
    use prost::Message;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    /// The callers' traces are numbered from 1, their spans from here; order 0 fails.
    const CALLER: u64 = 100;
    const ORDERS: u64 = 5;

    pub(super) async fn run() -> Result<(), Box<dyn Error>> {
        let collector = ScriptedPeer::start().await?;
        let telemetry = Aqueduct::builder()
            .service_name("orders")
            .variables(|_| None)
            .endpoint(collector.http_endpoint())
            .build()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (end, ended) = oneshot::channel::<()>();
        let client = async move {
            for id in 0..ORDERS {
                let (trace, caller) = (id + 1, CALLER + id);
                let mut stream = TcpStream::connect(address).await?;
                let request = format!(
                    "GET /orders/{id} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\
                     traceparent: 00-{trace:032x}-{caller:016x}-01\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                let expected = if id == 0 { "HTTP/1.1 500" } else { "HTTP/1.1 200" };
                assert!(answer.starts_with(expected), "{answer}");
            }
            drop(end);
            Ok::<(), std::io::Error>(())
        };
        let end = async {
            // Ends when the client is done with it, however.
            let _ = ended.await;
        };
        let (asked, report) = tokio::join!(client, super::run(listener, telemetry, end));
        asked?;
        let report = report?;
        println!("{report}");
        assert!(report.complete && report.lost() == 0);
        check(&collector)
    }

    /// All requests of a signal as one: concatenation is a merge.
    fn arrived(collector: &ScriptedPeer, signal: Signal) -> Vec<u8> {
        let captured = collector.captured();
        let of_signal = captured.iter().filter(|captured| captured.chunk.signal() == signal);
        of_signal.flat_map(|captured| captured.chunk.bytes().to_vec()).collect()
    }

    fn check(collector: &ScriptedPeer) -> Result<(), Box<dyn Error>> {
        let traces = ExportTraceServiceRequest::decode(&arrived(collector, Signal::Traces)[..])?;
        let spans: Vec<Span> = traces
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect();
        let logs = ExportLogsServiceRequest::decode(&arrived(collector, Signal::Logs)[..])?;
        let records: Vec<LogRecord> = logs
            .resource_logs
            .into_iter()
            .flat_map(|resource| resource.scope_logs)
            .flat_map(|scope| scope.log_records)
            .collect();
        let metrics = ExportMetricsServiceRequest::decode(&arrived(collector, Signal::Metrics)[..])?;
        let names: BTreeSet<String> = metrics
            .resource_metrics
            .into_iter()
            .flat_map(|resource| resource.scope_metrics)
            .flat_map(|scope| scope.metrics)
            .map(|metric| metric.name)
            .collect();

        assert_eq!((spans.len() as u64, records.len() as u64), (2 * ORDERS, ORDERS));
        for id in 0..ORDERS {
            let trace = u128::from(id + 1).to_be_bytes();
            let with_parent = |parent: &[u8]| {
                let child = |span: &&Span| span.trace_id == trace && span.parent_span_id == parent;
                spans.iter().find(child).ok_or_else(|| format!("trace {id} lacks a span"))
            };
            let server = with_parent(&(CALLER + id).to_be_bytes())?;
            let inner = with_parent(&server.span_id)?;
            assert_eq!((&*server.name, &*inner.name), ("GET /orders/{id}", "find order"));
            let failed = server.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
            assert_eq!(failed, id == 0);
            let of_span = |record: &&LogRecord| record.trace_id == trace && record.span_id == server.span_id;
            assert_eq!(records.iter().filter(of_span).count(), 1, "a line in the log of trace {id}");
        }
        for name in ["orders.found", "http.server.request.duration", "otel.sdk.span.started"] {
            assert!(names.contains(name), "no metric {name} among {names:?}");
        }
        println!("arrived: {} spans, {} log records, {} metrics", spans.len(), records.len(), names.len());
        Ok(())
    }
}
