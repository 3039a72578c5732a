//! The SDK's log records as sources of the encoder, and some to measure with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aqueduct_wire::encode::{ArraySink, AttributeSink, LogSource, ValueRef, ValueSink};
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};

use super::sdk::nanos;

/// A log record of the SDK.
#[derive(Debug)]
pub(super) struct Sdk<'a>(pub(super) &'a SdkLogRecord);

impl LogSource for Sdk<'_> {
    fn time_unix_nano(&self) -> u64 {
        self.0.timestamp().map_or(0, nanos)
    }

    fn observed_time_unix_nano(&self) -> u64 {
        self.0.observed_timestamp().map_or(0, nanos)
    }

    fn severity_number(&self) -> i32 {
        // The SDK numbers them as the protocol does.
        self.0.severity_number().map_or(0, |severity| severity as i32)
    }

    fn severity_text(&self) -> &str {
        self.0.severity_text().unwrap_or_default()
    }

    fn body(&self, out: ValueSink<'_>) {
        if let Some(body) = self.0.body() {
            let mut out = Some(out);
            with_value(body, &mut |value| out.take().into_iter().for_each(|out| out.put(value)));
        }
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        for (key, value) in self.0.attributes_iter() {
            let key = key.as_str();
            match value {
                AnyValue::Int(value) => out.push(key, ValueRef::Int(*value)),
                AnyValue::Double(value) => out.push(key, ValueRef::Double(*value)),
                AnyValue::String(value) => out.push(key, ValueRef::Str(value.as_str())),
                AnyValue::Boolean(value) => out.push(key, ValueRef::Bool(*value)),
                other => with_value(other, &mut |value| out.push(key, value)),
            }
        }
    }

    fn flags(&self) -> u32 {
        let flags = self.0.trace_context().and_then(|context| context.trace_flags);
        flags.map_or(0, |flags| flags.to_u8().into())
    }

    fn trace_id(&self) -> Option<[u8; 16]> {
        self.0.trace_context().map(|context| context.trace_id.to_bytes())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        self.0.trace_context().map(|context| context.span_id.to_bytes())
    }

    fn event_name(&self) -> &str {
        self.0.event_name().unwrap_or_default()
    }
}

fn with_value(value: &AnyValue, then: &mut dyn FnMut(ValueRef<'_>)) {
    match value {
        AnyValue::Int(value) => then(ValueRef::Int(*value)),
        AnyValue::Double(value) => then(ValueRef::Double(*value)),
        AnyValue::String(value) => then(ValueRef::Str(value.as_str())),
        AnyValue::Boolean(value) => then(ValueRef::Bool(*value)),
        AnyValue::Bytes(value) => then(ValueRef::Bytes(value)),
        AnyValue::ListAny(list) => then(ValueRef::Array(&|array: &mut ArraySink<'_>| {
            list.iter().for_each(|value| with_value(value, &mut |value| array.push(value)));
        })),
        AnyValue::Map(map) => then(ValueRef::KvList(&|out: &mut AttributeSink<'_>| {
            map.iter().for_each(|(key, value)| with_value(value, &mut |value| out.push(key.as_str(), value)));
        })),
        _ => then(ValueRef::Empty),
    }
}

/// Keeps what the SDK makes: only it can make log records.
#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Vec<SdkLogRecord>>>);

impl LogProcessor for Keep {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

/// Log records with a text, ids and ten attributes each.
pub(super) fn records(count: u64) -> Vec<SdkLogRecord> {
    let keep = Keep::default();
    let provider = SdkLoggerProvider::builder().with_log_processor(keep.clone()).build();
    let logger = provider.logger("http-server");
    for n in 0..count {
        let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut record = logger.create_log_record();
        let time = UNIX_EPOCH + Duration::from_secs(1_767_225_600) + Duration::from_micros(n);
        record.set_timestamp(time);
        record.set_observed_timestamp(time);
        record.set_severity_number(Severity::Info);
        record.set_severity_text("INFO");
        record.set_body(AnyValue::from(format!("order {n} was accepted and priced")));
        record.set_trace_context(u128::from(mixed).into(), mixed.into(), None);
        for attribute in super::sdk::attributes(n) {
            let value = match attribute.value {
                opentelemetry::Value::Bool(value) => AnyValue::from(value),
                opentelemetry::Value::I64(value) => AnyValue::from(value),
                opentelemetry::Value::F64(value) => AnyValue::from(value),
                other => AnyValue::from(other.to_string()),
            };
            record.add_attribute(attribute.key, value);
        }
        logger.emit(record);
    }
    let mut kept = keep.0.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *kept)
}
