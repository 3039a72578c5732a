//! A program without a runtime: threads, logs, and a filter: `cargo run -p aqueduct-opentelemetry --example without_tokio`.
#![allow(clippy::print_stdout, reason = "the report is what it is for")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use aqueduct_opentelemetry::{Aqueduct, Redaction, Verdict};
use opentelemetry::KeyValue;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Aqueduct::builder()
        .service_name("without-tokio")
        .filter_spans(|span| if span.name == "/healthz" { Verdict::Drop } else { Verdict::Export })
        .redact(|key, _| if key == "user.email" { Redaction::Omit } else { Redaction::Keep })
        .notices(|signal, destination, notice| println!("{signal} to {destination}: {notice}"))
        .build()?;
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();

    thread::scope(|threads| {
        for route in ["/cart", "/pay", "/healthz"] {
            let (tracers, loggers) = (&tracers, &loggers);
            threads.spawn(move || {
                let mut span = tracers.tracer("server").start(route);
                span.set_attribute(KeyValue::new("user.email", "somebody@example.org"));
                let logger = loggers.logger("server");
                let mut record = logger.create_log_record();
                record.set_severity_number(Severity::Info);
                record.set_body(route.into());
                logger.emit(record);
                span.end();
            });
        }
    });

    println!("{}", telemetry.shutdown(Duration::from_secs(2)));
    Ok(())
}
