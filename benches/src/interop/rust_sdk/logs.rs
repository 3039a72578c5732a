//! Log records of two providers with two scopes each.

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry_sdk::logs::SdkLoggerProvider;

use super::{Exporter, TEXT, both, moment, resources, scopes};
use crate::Failure;

/// Small records beside the elaborate ones, so many that the SDK needs more than one request.
const FILLERS: u64 = 600;

const SEVERITIES: [Severity; 24] = {
    use Severity::*;
    [
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4, Warn, Warn2,
        Warn3, Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ]
};

/// Exports the records and returns their number.
pub(super) fn export(to: &[Exporter; 2]) -> Result<u64, Failure> {
    let mut providers = Vec::new();
    let mut records = 0;
    for resource in resources() {
        let mut builder = SdkLoggerProvider::builder().with_resource(resource);
        for exporter in to {
            builder = builder.with_batch_exporter(exporter.logs()?);
        }
        let provider = builder.build();
        for scope in scopes() {
            records += rich(&provider.logger_with_scope(scope));
        }
        providers.push(provider);
    }
    let logger = providers[0].logger("fillers");
    for number in 0..FILLERS {
        let mut record = logger.create_log_record();
        record.set_timestamp(moment(number));
        record.set_body("filler".into());
        record.add_attribute("number", i64::try_from(number)?);
        logger.emit(record);
    }
    records += FILLERS;
    both(providers.iter().map(SdkLoggerProvider::force_flush))?;
    both(providers.iter().map(SdkLoggerProvider::shutdown))?;
    Ok(records)
}

/// A record of each severity and one with each value as its body and as an attribute; returns how many.
fn rich(logger: &impl Logger) -> u64 {
    let mut records = 0;
    let flags = [None, Some(TraceFlags::SAMPLED), Some(TraceFlags::NOT_SAMPLED)].into_iter().cycle();
    for ((number, severity), flags) in (0_u64..).zip(SEVERITIES).zip(flags) {
        let mut record = logger.create_log_record();
        record.set_event_name("interop.événement");
        record.set_timestamp(moment(number));
        record.set_observed_timestamp(moment(number + 1));
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        record.set_body(TEXT.into());
        record.add_attributes(values());
        let (trace, span) = (TraceId::from(u128::from(number + 1) << 64), SpanId::from(number + 1));
        record.set_trace_context(trace, span, flags);
        logger.emit(record);
        records += 1;
    }
    for (name, value) in values() {
        let mut record = logger.create_log_record();
        record.set_body(value.clone());
        record.add_attribute(name, value);
        logger.emit(record);
        records += 1;
    }
    logger.emit(logger.create_log_record());
    records + 1
}

/// Every kind of value that a record can hold, with the extremes of each.
fn values() -> Vec<(&'static str, AnyValue)> {
    // A map with two keys has no order of its own, and this check compares orders: maps here hold one.
    let map = AnyValue::from_iter([("inner", AnyValue::from_iter([("list", list())]))]);
    vec![
        ("text", TEXT.into()),
        ("empty text", "".into()),
        ("", "an empty key".into()),
        ("true", true.into()),
        ("false", false.into()),
        ("zero", 0_i64.into()),
        ("largest", i64::MAX.into()),
        ("smallest", i64::MIN.into()),
        ("beyond doubles", ((1_i64 << 53) + 1).into()),
        ("double", (0.1 + 0.2).into()),
        ("negative zero", (-0.0).into()),
        ("not a number", f64::NAN.into()),
        ("minus infinity", f64::NEG_INFINITY.into()),
        ("bytes", (0..=255).collect::<Vec<u8>>().as_slice().into()),
        ("no bytes", [0_u8; 0].as_slice().into()),
        ("list", list()),
        ("empty list", AnyValue::ListAny(Box::default())),
        ("empty map", AnyValue::Map(Box::default())),
        ("map", map),
    ]
}

fn list() -> AnyValue {
    let inner = AnyValue::from_iter([AnyValue::from(TEXT), AnyValue::from(-1_i64)]);
    AnyValue::ListAny(Box::new(vec![
        inner,
        true.into(),
        2.5.into(),
        b"\x00\xff".as_slice().into(),
        "".into(),
    ]))
}
