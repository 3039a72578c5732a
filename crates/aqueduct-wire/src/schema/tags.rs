//! Keys of fields as the writer puts them down: looked up in the tables by name, when this crate is compiled.

use super::messages as table;
use super::{Form, Message};
use crate::cursor::LEN;

impl Message {
    /// The key of a field in one byte. A list of numbers gets that of its packed form.
    const fn tag(&self, name: &str) -> u8 {
        let (number, wire) = self.named(name);
        assert!(number < 16, "a key of two bytes");
        number << 3 | wire
    }

    /// The key of a field whose number is 16 or more.
    const fn wide_tag(&self, name: &str) -> [u8; 2] {
        let (number, wire) = self.named(name);
        assert!(number >= 16, "a key of one byte");
        [number << 3 | wire | 0x80, number >> 4]
    }

    /// Number and wire type of a field.
    pub(super) const fn named(&self, name: &str) -> (u8, u8) {
        let mut at = 0;
        while at < self.fields.len() {
            let field = &self.fields[at];
            if same(field.name.as_bytes(), name.as_bytes()) {
                let wire = if matches!(field.form, Form::List) { LEN } else { field.kind.wire() };
                return (field.number, wire);
            }
            at += 1;
        }
        panic!("no field of this name")
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A module of keys for each message; a name that its table does not have is an error of the compiler.
macro_rules! tags {
    ($($module:ident of $table:ident: $($key:ident = $name:literal),+;)+) => {$(
        pub(crate) mod $module {
            $(pub(crate) const $key: u8 = super::table::$table.tag($name);)+
        }
    )+};
}

tags! {
    request of TRACES_REQUEST: RECORD = "resource_spans";
    resource_record of RESOURCE_SPANS:
        RESOURCE = "resource", SCOPE_RECORD = "scope_spans", SCHEMA_URL = "schema_url";
    scope_record of SCOPE_SPANS: SCOPE = "scope", ITEM = "spans", SCHEMA_URL = "schema_url";
    any_value of ANY_VALUE:
        STRING = "string_value", BOOL = "bool_value", INT = "int_value", DOUBLE = "double_value",
        ARRAY = "array_value", KVLIST = "kvlist_value", BYTES = "bytes_value";
    array_value of ARRAY_VALUE: VALUES = "values";
    key_value_list of KEY_VALUE_LIST: VALUES = "values";
    key_value of KEY_VALUE: KEY = "key", VALUE = "value";
    scope of SCOPE:
        NAME = "name", VERSION = "version", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count";
    entity_ref of ENTITY_REF:
        SCHEMA_URL = "schema_url", TYPE = "type", ID_KEYS = "id_keys", DESCRIPTION_KEYS = "description_keys";
    resource of RESOURCE:
        ATTRIBUTES = "attributes", DROPPED_ATTRIBUTES = "dropped_attributes_count", ENTITY_REFS = "entity_refs";
    span of SPAN:
        TRACE_ID = "trace_id", SPAN_ID = "span_id", TRACE_STATE = "trace_state",
        PARENT_SPAN_ID = "parent_span_id", NAME = "name", KIND = "kind", START_TIME = "start_time_unix_nano",
        END_TIME = "end_time_unix_nano", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count", EVENTS = "events",
        DROPPED_EVENTS = "dropped_events_count", LINKS = "links", DROPPED_LINKS = "dropped_links_count",
        STATUS = "status";
    event of EVENT:
        TIME = "time_unix_nano", NAME = "name", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count";
    link of LINK:
        TRACE_ID = "trace_id", SPAN_ID = "span_id", TRACE_STATE = "trace_state", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count", FLAGS = "flags";
    status of STATUS: MESSAGE = "message", CODE = "code";
    log_record of LOG_RECORD:
        TIME = "time_unix_nano", SEVERITY_NUMBER = "severity_number", SEVERITY_TEXT = "severity_text",
        BODY = "body", ATTRIBUTES = "attributes", DROPPED_ATTRIBUTES = "dropped_attributes_count",
        FLAGS = "flags", TRACE_ID = "trace_id", SPAN_ID = "span_id",
        OBSERVED_TIME = "observed_time_unix_nano", EVENT_NAME = "event_name";
    metric of METRIC:
        NAME = "name", DESCRIPTION = "description", UNIT = "unit", GAUGE = "gauge", SUM = "sum",
        HISTOGRAM = "histogram", EXPONENTIAL_HISTOGRAM = "exponential_histogram", SUMMARY = "summary",
        METADATA = "metadata";
    // The lists of points have the same number in each kind of data, and so have the temporalities.
    data of SUM:
        POINTS = "data_points", TEMPORALITY = "aggregation_temporality", IS_MONOTONIC = "is_monotonic";
    number_point of NUMBER_DATA_POINT:
        START_TIME = "start_time_unix_nano", TIME = "time_unix_nano", AS_DOUBLE = "as_double",
        EXEMPLARS = "exemplars", AS_INT = "as_int", ATTRIBUTES = "attributes", FLAGS = "flags";
    histogram_point of HISTOGRAM_DATA_POINT:
        START_TIME = "start_time_unix_nano", TIME = "time_unix_nano", COUNT = "count", SUM = "sum",
        BUCKET_COUNTS = "bucket_counts", EXPLICIT_BOUNDS = "explicit_bounds", EXEMPLARS = "exemplars",
        ATTRIBUTES = "attributes", FLAGS = "flags", MIN = "min", MAX = "max";
    exponential_point of EXPONENTIAL_HISTOGRAM_DATA_POINT:
        ATTRIBUTES = "attributes", START_TIME = "start_time_unix_nano", TIME = "time_unix_nano",
        COUNT = "count", SUM = "sum", SCALE = "scale", ZERO_COUNT = "zero_count", POSITIVE = "positive",
        NEGATIVE = "negative", FLAGS = "flags", EXEMPLARS = "exemplars", MIN = "min", MAX = "max",
        ZERO_THRESHOLD = "zero_threshold";
    buckets of BUCKETS: OFFSET = "offset", BUCKET_COUNTS = "bucket_counts";
    summary_point of SUMMARY_DATA_POINT:
        START_TIME = "start_time_unix_nano", TIME = "time_unix_nano", COUNT = "count", SUM = "sum",
        QUANTILE_VALUES = "quantile_values", ATTRIBUTES = "attributes", FLAGS = "flags";
    value_at_quantile of VALUE_AT_QUANTILE: QUANTILE = "quantile", VALUE = "value";
    exemplar of EXEMPLAR:
        TIME = "time_unix_nano", AS_DOUBLE = "as_double", SPAN_ID = "span_id", TRACE_ID = "trace_id",
        AS_INT = "as_int", FILTERED_ATTRIBUTES = "filtered_attributes";
}

/// The key of `Span.flags`, the only one of two bytes.
pub(crate) const SPAN_FLAGS: [u8; 2] = table::SPAN.wide_tag("flags");

// The writer takes the keys of the traces' records for all signals, and those of a sum for all data.
const _: () = {
    use table as t;
    assert!(t::METRICS_REQUEST.tag("resource_metrics") == request::RECORD);
    assert!(t::LOGS_REQUEST.tag("resource_logs") == request::RECORD);
    assert!(t::RESOURCE_METRICS.tag("resource") == resource_record::RESOURCE);
    assert!(t::RESOURCE_LOGS.tag("resource") == resource_record::RESOURCE);
    assert!(t::RESOURCE_METRICS.tag("scope_metrics") == resource_record::SCOPE_RECORD);
    assert!(t::RESOURCE_LOGS.tag("scope_logs") == resource_record::SCOPE_RECORD);
    assert!(t::RESOURCE_METRICS.tag("schema_url") == resource_record::SCHEMA_URL);
    assert!(t::RESOURCE_LOGS.tag("schema_url") == resource_record::SCHEMA_URL);
    assert!(t::SCOPE_METRICS.tag("scope") == scope_record::SCOPE);
    assert!(t::SCOPE_LOGS.tag("scope") == scope_record::SCOPE);
    assert!(t::SCOPE_METRICS.tag("metrics") == scope_record::ITEM);
    assert!(t::SCOPE_LOGS.tag("log_records") == scope_record::ITEM);
    assert!(t::SCOPE_METRICS.tag("schema_url") == scope_record::SCHEMA_URL);
    assert!(t::SCOPE_LOGS.tag("schema_url") == scope_record::SCHEMA_URL);
    assert!(t::GAUGE.tag("data_points") == data::POINTS);
    assert!(t::HISTOGRAM.tag("data_points") == data::POINTS);
    assert!(t::HISTOGRAM.tag("aggregation_temporality") == data::TEMPORALITY);
    assert!(t::EXPONENTIAL_HISTOGRAM.tag("data_points") == data::POINTS);
    assert!(t::EXPONENTIAL_HISTOGRAM.tag("aggregation_temporality") == data::TEMPORALITY);
    assert!(t::SUMMARY.tag("data_points") == data::POINTS);
};
