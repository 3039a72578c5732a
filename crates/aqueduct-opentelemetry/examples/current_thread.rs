//! A service on a runtime with one thread, which flushes and shuts down in the middle of it: `cargo run -p aqueduct-opentelemetry --example current_thread`.
#![allow(clippy::print_stdout, reason = "the reports are what it is for")]

use std::error::Error;
use std::time::Duration;

use aqueduct_opentelemetry::Aqueduct;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Aqueduct::builder().service_name("current-thread").build()?;
    println!("{}", telemetry.self_test(Duration::from_secs(2)));
    let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();
    telemetry.observe(&meters.meter("aqueduct"));

    tracers.tracer("service").in_span("request", |_| ());

    // Lets other tasks of this thread run while it waits.
    println!("{}", telemetry.flush_async(Duration::from_secs(2)).await);
    println!("{}", telemetry.health());
    // Does not, and needs nothing of the runtime.
    println!("{}", telemetry.shutdown(Duration::from_secs(2)));
    Ok(())
}
