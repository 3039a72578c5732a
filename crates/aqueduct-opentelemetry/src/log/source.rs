//! A log record of the SDK, as the encoder asks for it.

use aqueduct_wire::encode::{AttributeSink, LogSource, ValueRef, ValueSink};
use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::SdkLogRecord;

use crate::encode::{Attributes, cut, lend, nanos, over};
use crate::ids::is_ours;
use crate::limits::Limits;
use crate::propagator::RANDOM;
use crate::redact::{BODY, Left, Redactor};

/// A log record under limits.
pub(super) struct Source<'a> {
    pub(super) record: &'a SdkLogRecord,
    pub(super) limits: &'a Limits,
    pub(super) redactor: Option<&'a Redactor>,
}

impl LogSource for Source<'_> {
    #[inline]
    fn time_unix_nano(&self) -> u64 {
        self.record.timestamp().map_or(0, nanos)
    }

    #[inline]
    fn observed_time_unix_nano(&self) -> u64 {
        self.record.observed_timestamp().map_or(0, nanos)
    }

    #[inline]
    fn severity_number(&self) -> i32 {
        // The API's numbers are those of the data model.
        self.record.severity_number().map_or(0, |severity| severity as i32)
    }

    #[inline]
    fn severity_text(&self) -> &str {
        self.record.severity_text().unwrap_or_default()
    }

    #[inline]
    fn body(&self, out: ValueSink<'_>) {
        let Some(body) = self.record.body() else { return };
        if let (AnyValue::String(text), None) = (body, self.redactor) {
            return out.put(ValueRef::Str(text.as_str()));
        }
        let rules = Attributes { count: u32::MAX, value_length: None, redactor: self.redactor };
        let mut out = Some(out);
        lend(body, &rules, &mut |value| {
            if let Some(out) = out.take() {
                put_body(out, value, self.redactor);
            }
        });
    }

    #[inline]
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let Limits { log_attributes, log_value_length, .. } = *self.limits;
        let rules =
            Attributes { count: log_attributes, value_length: log_value_length, redactor: self.redactor };
        for (key, value) in self.record.attributes_iter().take(log_attributes as usize) {
            let key = key.as_str();
            match value {
                // What most are, without a call through a pointer.
                AnyValue::String(text) => {
                    rules.push(out, key, ValueRef::Str(cut(text.as_str(), rules.value_length)));
                }
                AnyValue::Int(value) => rules.push(out, key, ValueRef::Int(*value)),
                other => lend(other, &rules, &mut |value| rules.push(out, key, value)),
            }
        }
    }

    #[inline]
    fn dropped_attributes_count(&self) -> u32 {
        over(self.record.attributes_iter().count(), self.limits.log_attributes, 0)
    }

    #[inline]
    fn flags(&self) -> u32 {
        let Some((context, flags)) =
            self.record.trace_context().and_then(|context| Some((context, context.trace_flags?)))
        else {
            return 0;
        };
        // As the span's own flags have it.
        let random = if is_ours(context.trace_id) { RANDOM } else { 0 };
        u32::from(flags.to_u8() | random)
    }

    #[inline]
    fn trace_id(&self) -> Option<[u8; 16]> {
        self.record.trace_context().map(|context| context.trace_id.to_bytes())
    }

    #[inline]
    fn span_id(&self) -> Option<[u8; 8]> {
        self.record.trace_context().map(|context| context.span_id.to_bytes())
    }

    #[inline]
    fn event_name(&self) -> &str {
        self.record.event_name().unwrap_or_default()
    }
}

#[inline]
fn put_body(out: ValueSink<'_>, value: ValueRef<'_>, redactor: Option<&Redactor>) {
    match redactor.map_or(Left::Same, |redactor| redactor.ask(BODY, &value)) {
        Left::Same => out.put(value),
        Left::Nothing => {}
        Left::Text(text) => out.put(ValueRef::Str(&text)),
    }
}
