//! Log records of any kind.

use std::collections::HashMap;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, Severity};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::{InstrumentationScope, Key};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;

use super::{scope, text, time};

/// Any log record: what an appender says.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) scope: InstrumentationScope,
    target: Option<String>,
    time: Option<SystemTime>,
    severity: Option<Severity>,
    severity_text: Option<&'static str>,
    event: Option<&'static str>,
    body: Option<AnyValue>,
    attributes: Vec<(String, AnyValue)>,
    context: Option<(u128, u64, Option<u8>)>,
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(AnyValue::Int),
        any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(AnyValue::Double),
        any::<bool>().prop_map(AnyValue::Boolean),
        text().prop_map(AnyValue::from),
        vec(any::<u8>(), 0..9).prop_map(|bytes| AnyValue::Bytes(Box::new(bytes))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AnyValue::ListAny(Box::new(values))),
            hash_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| {
                let map: HashMap<Key, AnyValue> =
                    map.into_iter().map(|(key, value)| (key.into(), value)).collect();
                AnyValue::Map(Box::new(map))
            }),
        ]
    })
}

fn severity() -> impl Strategy<Value = Severity> {
    use Severity::{
        Debug, Debug2, Debug3, Debug4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4, Info,
        Info2, Info3, Info4, Trace, Trace2, Trace3, Trace4, Warn, Warn2, Warn3, Warn4,
    };
    proptest::sample::select(vec![
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4, Warn, Warn2,
        Warn3, Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ])
}

fn log() -> impl Strategy<Value = Log> {
    let option = proptest::option::of::<BoxedStrategy<SystemTime>>;
    let head = (scope(), proptest::option::of("[a-c]{0,1}"), option(time().boxed()));
    let kind = (
        proptest::option::of(severity()),
        proptest::option::of(Just("WARN")),
        proptest::option::of(Just("event.name")),
    );
    let content = (proptest::option::of(any_value()), vec((text(), any_value()), 0..7));
    let context = proptest::option::of((any::<u128>(), any::<u64>(), proptest::option::of(0_u8..4)));
    (head, kind, content, context).prop_map(|(head, kind, content, context)| {
        let (scope, target, time) = head;
        let (severity, severity_text, event) = kind;
        let (body, attributes) = content;
        Log { scope, target, time, severity, severity_text, event, body, attributes, context }
    })
}

pub(crate) fn logs(most: usize) -> impl Strategy<Value = Vec<Log>> {
    vec(log(), 0..=most)
}

impl Log {
    pub(crate) fn emit(self, logger: &impl Logger) {
        let mut record = logger.create_log_record();
        if let Some(target) = self.target {
            record.set_target(target);
        }
        if let Some(time) = self.time {
            record.set_timestamp(time);
        }
        if let Some(severity) = self.severity {
            record.set_severity_number(severity);
        }
        if let Some(text) = self.severity_text {
            record.set_severity_text(text);
        }
        if let Some(event) = self.event {
            record.set_event_name(event);
        }
        if let Some(body) = self.body {
            record.set_body(body);
        }
        record.add_attributes(self.attributes);
        if let Some((trace, span, flags)) = self.context {
            record.set_trace_context(TraceId::from(trace), SpanId::from(span), flags.map(TraceFlags::new));
        }
        logger.emit(record);
    }
}
