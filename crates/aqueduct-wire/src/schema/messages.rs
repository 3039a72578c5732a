//! The tables themselves, from the request down.

pub(crate) mod numbers;

use super::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int32, Int64, Sfixed64, Sint32, SpanId, SpanIdOrNone,
    String, TraceId, TraceIdOrNone, Uint32, Uint64,
};
use super::{Field, Form, Kind, Message, Role};
use crate::Signal;

const fn one(number: u8, name: &'static str, kind: Kind) -> Field {
    Field::new(number, name, kind, Form::One)
}

const fn either(number: u8, name: &'static str, kind: Kind) -> Field {
    Field::new(number, name, kind, Form::Either)
}

const fn list(number: u8, name: &'static str, kind: Kind) -> Field {
    Field::new(number, name, kind, Form::List)
}

const fn message(number: u8, name: &'static str, of: &'static Message) -> Field {
    one(number, name, Kind::Message(of))
}

const fn messages(number: u8, name: &'static str, of: &'static Message) -> Field {
    list(number, name, Kind::Message(of))
}

/// The export request of a signal.
pub(crate) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
    }
}

pub(super) static TRACES_REQUEST: Message =
    Message::new(Role::Plain, &[messages(1, "resource_spans", &RESOURCE_SPANS)]);
pub(super) static METRICS_REQUEST: Message =
    Message::new(Role::Plain, &[messages(1, "resource_metrics", &RESOURCE_METRICS)]);
pub(super) static LOGS_REQUEST: Message =
    Message::new(Role::Plain, &[messages(1, "resource_logs", &RESOURCE_LOGS)]);

// common.v1 and resource.v1

pub(super) static ANY_VALUE: Message = Message::new(
    Role::AnyValue,
    &[
        either(1, "string_value", String),
        either(2, "bool_value", Bool),
        either(3, "int_value", Int64),
        either(4, "double_value", Double),
        either(5, "array_value", Kind::Message(&ARRAY_VALUE)),
        either(6, "kvlist_value", Kind::Message(&KEY_VALUE_LIST)),
        either(7, "bytes_value", Bytes),
        either(8, "string_value_strindex", Int32),
    ],
);

pub(super) static ARRAY_VALUE: Message = Message::new(Role::Plain, &[messages(1, "values", &ANY_VALUE)]);

pub(super) static KEY_VALUE_LIST: Message =
    Message::new(Role::Plain, &[messages(1, "values", &KEY_VALUE)]).with_attributes(1);

pub(crate) static KEY_VALUE: Message = Message::new(
    Role::Plain,
    &[one(1, "key", String), message(2, "value", &ANY_VALUE), one(3, "key_strindex", Int32)],
);

pub(super) static SCOPE: Message = Message::new(
    Role::Plain,
    &[
        one(1, "name", String),
        one(2, "version", String),
        messages(3, "attributes", &KEY_VALUE),
        one(4, "dropped_attributes_count", Uint32),
    ],
)
.with_attributes(3);

pub(super) static ENTITY_REF: Message = Message::new(
    Role::Plain,
    &[
        one(1, "schema_url", String),
        one(2, "type", String),
        list(3, "id_keys", String),
        list(4, "description_keys", String),
    ],
);

pub(super) static RESOURCE: Message = Message::new(
    Role::Plain,
    &[
        messages(1, "attributes", &KEY_VALUE),
        one(2, "dropped_attributes_count", Uint32),
        messages(3, "entity_refs", &ENTITY_REF),
    ],
)
.with_attributes(1);

// trace.v1

pub(super) static RESOURCE_SPANS: Message = Message::new(
    Role::Record,
    &[
        message(1, "resource", &RESOURCE),
        messages(2, "scope_spans", &SCOPE_SPANS),
        one(3, "schema_url", String),
    ],
);

pub(super) static SCOPE_SPANS: Message = Message::new(
    Role::Scope,
    &[message(1, "scope", &SCOPE), messages(2, "spans", &SPAN), one(3, "schema_url", String)],
);

pub(super) static SPAN: Message = Message::new(
    Role::Span,
    &[
        one(1, "trace_id", TraceId),
        one(2, "span_id", SpanId),
        one(3, "trace_state", String),
        one(4, "parent_span_id", SpanIdOrNone),
        one(5, "name", String),
        one(6, "kind", Enum),
        one(7, "start_time_unix_nano", Fixed64),
        one(8, "end_time_unix_nano", Fixed64),
        messages(9, "attributes", &KEY_VALUE),
        one(10, "dropped_attributes_count", Uint32),
        messages(11, "events", &EVENT),
        one(12, "dropped_events_count", Uint32),
        messages(13, "links", &LINK),
        one(14, "dropped_links_count", Uint32),
        message(15, "status", &STATUS),
        one(16, "flags", Fixed32),
    ],
)
.with_attributes(9);

pub(super) static EVENT: Message = Message::new(
    Role::Plain,
    &[
        one(1, "time_unix_nano", Fixed64),
        one(2, "name", String),
        messages(3, "attributes", &KEY_VALUE),
        one(4, "dropped_attributes_count", Uint32),
    ],
)
.with_attributes(3);

pub(super) static LINK: Message = Message::new(
    Role::Plain,
    &[
        one(1, "trace_id", TraceIdOrNone),
        one(2, "span_id", SpanIdOrNone),
        one(3, "trace_state", String),
        messages(4, "attributes", &KEY_VALUE),
        one(5, "dropped_attributes_count", Uint32),
        one(6, "flags", Fixed32),
    ],
)
.with_attributes(4);

pub(super) static STATUS: Message =
    Message::new(Role::Plain, &[one(2, "message", String), one(3, "code", Enum)]);

// logs.v1

pub(super) static RESOURCE_LOGS: Message = Message::new(
    Role::Record,
    &[
        message(1, "resource", &RESOURCE),
        messages(2, "scope_logs", &SCOPE_LOGS),
        one(3, "schema_url", String),
    ],
);

pub(super) static SCOPE_LOGS: Message = Message::new(
    Role::Scope,
    &[message(1, "scope", &SCOPE), messages(2, "log_records", &LOG_RECORD), one(3, "schema_url", String)],
);

pub(super) static LOG_RECORD: Message = Message::new(
    Role::Item,
    &[
        one(1, "time_unix_nano", Fixed64),
        one(2, "severity_number", Enum),
        one(3, "severity_text", String),
        message(5, "body", &ANY_VALUE),
        messages(6, "attributes", &KEY_VALUE),
        one(7, "dropped_attributes_count", Uint32),
        one(8, "flags", Fixed32),
        one(9, "trace_id", TraceIdOrNone),
        one(10, "span_id", SpanIdOrNone),
        one(11, "observed_time_unix_nano", Fixed64),
        one(12, "event_name", String),
    ],
)
.with_attributes(6);

// metrics.v1

pub(super) static RESOURCE_METRICS: Message = Message::new(
    Role::Record,
    &[
        message(1, "resource", &RESOURCE),
        messages(2, "scope_metrics", &SCOPE_METRICS),
        one(3, "schema_url", String),
    ],
);

pub(super) static SCOPE_METRICS: Message = Message::new(
    Role::Scope,
    &[message(1, "scope", &SCOPE), messages(2, "metrics", &METRIC), one(3, "schema_url", String)],
);

pub(super) static METRIC: Message = Message::new(
    Role::Metric,
    &[
        one(1, "name", String),
        one(2, "description", String),
        one(3, "unit", String),
        either(5, "gauge", Kind::Message(&GAUGE)),
        either(7, "sum", Kind::Message(&SUM)),
        either(9, "histogram", Kind::Message(&HISTOGRAM)),
        either(10, "exponential_histogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        either(11, "summary", Kind::Message(&SUMMARY)),
        messages(12, "metadata", &KEY_VALUE),
    ],
)
.with_attributes(12);

pub(super) static GAUGE: Message =
    Message::new(Role::Plain, &[messages(1, "data_points", &NUMBER_DATA_POINT)]);

pub(super) static SUM: Message = Message::new(
    Role::Plain,
    &[
        messages(1, "data_points", &NUMBER_DATA_POINT),
        one(2, "aggregation_temporality", Enum),
        one(3, "is_monotonic", Bool),
    ],
);

pub(super) static HISTOGRAM: Message = Message::new(
    Role::Plain,
    &[messages(1, "data_points", &HISTOGRAM_DATA_POINT), one(2, "aggregation_temporality", Enum)],
);

pub(super) static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    Role::Plain,
    &[messages(1, "data_points", &EXPONENTIAL_HISTOGRAM_DATA_POINT), one(2, "aggregation_temporality", Enum)],
);

pub(super) static SUMMARY: Message =
    Message::new(Role::Plain, &[messages(1, "data_points", &SUMMARY_DATA_POINT)]);

pub(super) static NUMBER_DATA_POINT: Message = Message::new(
    Role::Item,
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        either(4, "as_double", Double),
        messages(5, "exemplars", &EXEMPLAR),
        either(6, "as_int", Sfixed64),
        messages(7, "attributes", &KEY_VALUE),
        one(8, "flags", Uint32),
    ],
)
.with_attributes(7);

pub(super) static HISTOGRAM_DATA_POINT: Message = Message::new(
    Role::Item,
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        list(6, "bucket_counts", Fixed64),
        list(7, "explicit_bounds", Double),
        messages(8, "exemplars", &EXEMPLAR),
        messages(9, "attributes", &KEY_VALUE),
        one(10, "flags", Uint32),
        one(11, "min", Double),
        one(12, "max", Double),
    ],
)
.with_attributes(9);

pub(super) static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new(
    Role::Item,
    &[
        messages(1, "attributes", &KEY_VALUE),
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        one(6, "scale", Sint32),
        one(7, "zero_count", Fixed64),
        message(8, "positive", &BUCKETS),
        message(9, "negative", &BUCKETS),
        one(10, "flags", Uint32),
        messages(11, "exemplars", &EXEMPLAR),
        one(12, "min", Double),
        one(13, "max", Double),
        one(14, "zero_threshold", Double),
    ],
)
.with_attributes(1);

pub(super) static BUCKETS: Message =
    Message::new(Role::Plain, &[one(1, "offset", Sint32), list(2, "bucket_counts", Uint64)]);

pub(super) static SUMMARY_DATA_POINT: Message = Message::new(
    Role::Item,
    &[
        one(2, "start_time_unix_nano", Fixed64),
        one(3, "time_unix_nano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        messages(6, "quantile_values", &VALUE_AT_QUANTILE),
        messages(7, "attributes", &KEY_VALUE),
        one(8, "flags", Uint32),
    ],
)
.with_attributes(7);

pub(super) static VALUE_AT_QUANTILE: Message =
    Message::new(Role::Plain, &[one(1, "quantile", Double), one(2, "value", Double)]);

pub(super) static EXEMPLAR: Message = Message::new(
    Role::Plain,
    &[
        one(2, "time_unix_nano", Fixed64),
        either(3, "as_double", Double),
        one(4, "span_id", SpanIdOrNone),
        one(5, "trace_id", TraceIdOrNone),
        either(6, "as_int", Sfixed64),
        messages(7, "filtered_attributes", &KEY_VALUE),
    ],
)
.with_attributes(7);

// profiles.v1development, down to the scope: what is inside of a profile still changes.

static PROFILES_REQUEST: Message = Message::new(
    Role::Plain,
    &[messages(1, "resource_profiles", &RESOURCE_PROFILES), one(2, "dictionary", Bytes)],
);

static RESOURCE_PROFILES: Message = Message::new(
    Role::Record,
    &[
        message(1, "resource", &RESOURCE),
        messages(2, "scope_profiles", &SCOPE_PROFILES),
        one(3, "schema_url", String),
    ],
);

static SCOPE_PROFILES: Message = Message::new(
    Role::Plain,
    &[message(1, "scope", &SCOPE), list(2, "profiles", Bytes), one(3, "schema_url", String)],
);
