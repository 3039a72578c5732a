//! The whole way in one program: spans, logs and metrics of the SDK, sampled, encoded, batched, sent, received and counted: `cargo run -p aqueduct --example full_stack`.
//!
//! It ends by itself, and fails if what arrived is not what was sent.
#![allow(clippy::print_stdout, reason = "the report is what it is for")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct::opentelemetry::{Aqueduct, Sampler};
use aqueduct::receiver::{Answer, Entry, ReceiveBudget, ReceiverConfig, Server, Shutdown};
use aqueduct::transport::Protocol;
use aqueduct::wire::Signal;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

const REQUESTS: u64 = 4_000;
const ROUTES: [&str; 2] = ["/cart", "/pay"];
const SPANS_PER_TRACE: u64 = 3;
const SHARE: f64 = 0.25;
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn Error>> {
    // The collector's side: a server whose statistics count.
    let handler = |_| Answer::Accepted.into();
    let server = Server::new(ReceiverConfig::default(), ReceiveBudget::new(64 << 20), Arc::new(handler));
    let received = server.stats();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { server.serve(listener, Entry::Grpc, Shutdown::never()).await });

    // The application's side.
    let telemetry = Aqueduct::builder()
        .service_name("shop")
        .protocol(Protocol::Grpc)
        .endpoint(endpoint)
        // Nothing but what stands here: the program is to end the same way everywhere.
        .variables(|_| None)
        .build()?;
    let found = telemetry.self_test(DEADLINE);
    println!("{found}");
    assert!(found.is_good());
    let tracers = SdkTracerProvider::builder()
        .with_span_processor(telemetry.span_processor())
        .with_sampler(Sampler::probability(SHARE)?)
        .with_id_generator(telemetry.id_generator())
        .build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();

    serve(&tracers, &loggers, &meters);

    // The last collection of the meters, then everything that is held.
    meters.shutdown()?;
    println!("{}", telemetry.health());
    let report = telemetry.shutdown(DEADLINE);
    println!("{report}");

    let received = received.snapshot();
    let items = |signal: Signal| received.of(signal).items;
    let (spans, records, points) = (items(Signal::Traces), items(Signal::Logs), items(Signal::Metrics));
    println!(
        "received: {spans} spans of {} ({:.1} %), {records} log records, {points} data points",
        REQUESTS * SPANS_PER_TRACE,
        100.0 * spans as f64 / (REQUESTS * SPANS_PER_TRACE) as f64
    );
    assert!(report.complete);
    assert_eq!(report.lost(), 0);
    assert_eq!(report.delivered(), spans + records + points, "delivered is what was received");
    assert_eq!(spans % SPANS_PER_TRACE, 0, "traces are kept in full, or not at all");
    let traces = (spans / SPANS_PER_TRACE) as f64 / REQUESTS as f64;
    assert!((SHARE - 0.05..SHARE + 0.05).contains(&traces), "{traces} of all traces");
    assert_eq!(records, REQUESTS, "log records are not sampled");
    assert_eq!(points, 2 * ROUTES.len() as u64, "a counter and a histogram for each route");
    Ok(())
}

/// A service under load: a request is a trace of three spans, a log record, and two measurements.
fn serve(tracers: &SdkTracerProvider, loggers: &SdkLoggerProvider, meters: &SdkMeterProvider) {
    let (tracer, logger, meter) = (tracers.tracer("shop"), loggers.logger("shop"), meters.meter("shop"));
    let requests = meter.u64_counter("shop.requests").build();
    let duration = meter.f64_histogram("shop.request.duration").with_unit("s").build();
    for request in 0..REQUESTS {
        let route = [KeyValue::new("http.route", ROUTES[request as usize % ROUTES.len()])];
        let begin = Instant::now();
        tracer.in_span("request", |_: Context| {
            tracer.in_span("read basket", |_| ());
            tracer.in_span("reckon", |_| ());
            let mut record = logger.create_log_record();
            record.set_severity_number(Severity::Info);
            record.set_body("served".into());
            // With the ids of the span that is active.
            logger.emit(record);
        });
        requests.add(1, &route);
        duration.record(begin.elapsed().as_secs_f64(), &route);
    }
}
