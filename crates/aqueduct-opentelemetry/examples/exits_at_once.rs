//! A command-line program that does its work, exits at once, and loses nothing: `cargo run -p aqueduct-opentelemetry --example exits_at_once`.
//!
//! Without a collector at the endpoint (`OTEL_EXPORTER_OTLP_ENDPOINT`) it says after two seconds what was lost.
#![allow(clippy::print_stdout, reason = "the report is what it is for")]

use std::error::Error;
use std::time::Duration;

use aqueduct_opentelemetry::Aqueduct;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Aqueduct::from_env()?;
    for setting in telemetry.settings().warnings() {
        println!("{}: {:?}", setting.variable, setting.used);
    }
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();

    let tracer = provider.tracer("exits-at-once");
    tracer.in_span("work", |_| (0..100).for_each(|_| tracer.in_span("step", |_| ())));

    let report = telemetry.shutdown(Duration::from_secs(2));
    println!("{report}");
    Ok(())
}
