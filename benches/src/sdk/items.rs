//! The items that applications make.

use std::hint::black_box;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span, SpanKind, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::order::Item;

/// 38 bytes.
const PATH: &str = "/api/v1/customers/orders/0000000004711";
const ROUTE: &str = "/api/v1/customers/orders/{id}";
const SCOPE: &str = "http-server";

/// Makes items of one kind, on one thread.
pub(super) enum Maker {
    Spans(SdkTracer, Context),
    Records(SdkLogger),
}

impl Maker {
    pub(super) fn new(item: Item, tracers: &SdkTracerProvider, loggers: &SdkLoggerProvider) -> Maker {
        match item {
            Item::Span => Maker::Spans(tracers.tracer(SCOPE), Context::new()),
            Item::Record => Maker::Records(loggers.logger(SCOPE)),
        }
    }

    pub(super) fn make(&self, items: u32) {
        match self {
            Maker::Spans(tracer, root) => (0..items).for_each(|_| span(tracer, root)),
            Maker::Records(logger) => (0..items).for_each(|_| record(logger)),
        }
    }
}

fn span(tracer: &SdkTracer, root: &Context) {
    let builder = tracer.span_builder("GET /api/v1/customers/orders/{id}").with_kind(SpanKind::Server);
    let mut span = builder.start_with_context(tracer, root);
    span.set_attribute(KeyValue::new("http.request.method", "GET"));
    span.set_attribute(KeyValue::new("http.route", ROUTE));
    span.set_attribute(KeyValue::new("url.path", black_box(PATH).to_owned()));
    span.set_attribute(KeyValue::new("http.response.status_code", black_box(200)));
    span.end();
}

fn record(logger: &SdkLogger) {
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Info);
    record.set_severity_text("INFO");
    record.set_body(AnyValue::from("the order was placed"));
    record.add_attribute("http.request.method", "GET");
    record.add_attribute("http.route", ROUTE);
    record.add_attribute("url.path", black_box(PATH).to_owned());
    record.add_attribute("http.response.status_code", black_box(200));
    logger.emit(record);
}
