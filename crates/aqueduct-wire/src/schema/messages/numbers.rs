//! Field numbers as constants, looked up by name in the tables while the crate is compiled: a name that the
//! table does not have is an error of the compiler.

macro_rules! numbers {
    ($($module:ident of $table:ident { $($constant:ident = $name:literal,)* })*) => {
        $(
            pub(crate) mod $module {
                $(pub(crate) const $constant: u32 = super::super::$table.named($name).0 as u32;)*
            }
        )*
    };
}

numbers! {
    traces_request of TRACES_REQUEST { RECORDS = "resource_spans", }
    metrics_request of METRICS_REQUEST { RECORDS = "resource_metrics", }
    logs_request of LOGS_REQUEST { RECORDS = "resource_logs", }
    profiles_request of PROFILES_REQUEST { RECORDS = "resource_profiles", DICTIONARY = "dictionary", }
    resource_spans of RESOURCE_SPANS {
        RESOURCE = "resource", SCOPES = "scope_spans", SCHEMA_URL = "schema_url",
    }
    resource_metrics of RESOURCE_METRICS {
        RESOURCE = "resource", SCOPES = "scope_metrics", SCHEMA_URL = "schema_url",
    }
    resource_logs of RESOURCE_LOGS {
        RESOURCE = "resource", SCOPES = "scope_logs", SCHEMA_URL = "schema_url",
    }
    resource_profiles of RESOURCE_PROFILES {
        RESOURCE = "resource", SCOPES = "scope_profiles", SCHEMA_URL = "schema_url",
    }
    scope_spans of SCOPE_SPANS { SCOPE = "scope", ITEMS = "spans", SCHEMA_URL = "schema_url", }
    scope_metrics of SCOPE_METRICS { SCOPE = "scope", ITEMS = "metrics", SCHEMA_URL = "schema_url", }
    scope_logs of SCOPE_LOGS { SCOPE = "scope", ITEMS = "log_records", SCHEMA_URL = "schema_url", }
    scope_profiles of SCOPE_PROFILES { SCOPE = "scope", ITEMS = "profiles", SCHEMA_URL = "schema_url", }

    any_value of ANY_VALUE {
        STRING = "string_value", BOOL = "bool_value", INT = "int_value", DOUBLE = "double_value",
        ARRAY = "array_value", KVLIST = "kvlist_value", BYTES = "bytes_value", STRINDEX = "string_value_strindex",
    }
    array_value of ARRAY_VALUE { VALUES = "values", }
    key_value_list of KEY_VALUE_LIST { VALUES = "values", }
    key_value of KEY_VALUE { KEY = "key", VALUE = "value", KEY_STRINDEX = "key_strindex", }
    scope of SCOPE {
        NAME = "name", VERSION = "version", ATTRIBUTES = "attributes", DROPPED_ATTRIBUTES = "dropped_attributes_count",
    }
    entity_ref of ENTITY_REF {
        SCHEMA_URL = "schema_url", TYPE = "type", ID_KEYS = "id_keys", DESCRIPTION_KEYS = "description_keys",
    }
    resource of RESOURCE {
        ATTRIBUTES = "attributes", DROPPED_ATTRIBUTES = "dropped_attributes_count", ENTITY_REFS = "entity_refs",
    }

    span of SPAN {
        TRACE_ID = "trace_id", SPAN_ID = "span_id", TRACE_STATE = "trace_state", PARENT_SPAN_ID = "parent_span_id",
        NAME = "name", KIND = "kind", START = "start_time_unix_nano", END = "end_time_unix_nano",
        ATTRIBUTES = "attributes", DROPPED_ATTRIBUTES = "dropped_attributes_count",
        EVENTS = "events", DROPPED_EVENTS = "dropped_events_count",
        LINKS = "links", DROPPED_LINKS = "dropped_links_count", STATUS = "status", FLAGS = "flags",
    }
    event of EVENT {
        TIME = "time_unix_nano", NAME = "name", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count",
    }
    link of LINK {
        TRACE_ID = "trace_id", SPAN_ID = "span_id", TRACE_STATE = "trace_state", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count", FLAGS = "flags",
    }
    status of STATUS { MESSAGE = "message", CODE = "code", }

    log_record of LOG_RECORD {
        TIME = "time_unix_nano", OBSERVED_TIME = "observed_time_unix_nano", SEVERITY_NUMBER = "severity_number",
        SEVERITY_TEXT = "severity_text", BODY = "body", ATTRIBUTES = "attributes",
        DROPPED_ATTRIBUTES = "dropped_attributes_count", FLAGS = "flags", TRACE_ID = "trace_id", SPAN_ID = "span_id",
        EVENT_NAME = "event_name",
    }

    metric of METRIC {
        NAME = "name", DESCRIPTION = "description", UNIT = "unit", GAUGE = "gauge", SUM = "sum",
        HISTOGRAM = "histogram", EXPONENTIAL_HISTOGRAM = "exponential_histogram", SUMMARY = "summary",
        METADATA = "metadata",
    }
    gauge of GAUGE { POINTS = "data_points", }
    sum of SUM { POINTS = "data_points", TEMPORALITY = "aggregation_temporality", MONOTONIC = "is_monotonic", }
    histogram of HISTOGRAM { POINTS = "data_points", TEMPORALITY = "aggregation_temporality", }
    exponential_histogram of EXPONENTIAL_HISTOGRAM {
        POINTS = "data_points", TEMPORALITY = "aggregation_temporality",
    }
    summary of SUMMARY { POINTS = "data_points", }
    number_point of NUMBER_DATA_POINT {
        ATTRIBUTES = "attributes", START = "start_time_unix_nano", TIME = "time_unix_nano", AS_DOUBLE = "as_double",
        AS_INT = "as_int", EXEMPLARS = "exemplars", FLAGS = "flags",
    }
    histogram_point of HISTOGRAM_DATA_POINT {
        ATTRIBUTES = "attributes", START = "start_time_unix_nano", TIME = "time_unix_nano", COUNT = "count",
        SUM = "sum", BUCKET_COUNTS = "bucket_counts", EXPLICIT_BOUNDS = "explicit_bounds", EXEMPLARS = "exemplars",
        FLAGS = "flags", MIN = "min", MAX = "max",
    }
    exponential_point of EXPONENTIAL_HISTOGRAM_DATA_POINT {
        ATTRIBUTES = "attributes", START = "start_time_unix_nano", TIME = "time_unix_nano", COUNT = "count",
        SUM = "sum", SCALE = "scale", ZERO_COUNT = "zero_count", POSITIVE = "positive", NEGATIVE = "negative",
        FLAGS = "flags", EXEMPLARS = "exemplars", MIN = "min", MAX = "max", ZERO_THRESHOLD = "zero_threshold",
    }
    buckets of BUCKETS { OFFSET = "offset", BUCKET_COUNTS = "bucket_counts", }
    summary_point of SUMMARY_DATA_POINT {
        ATTRIBUTES = "attributes", START = "start_time_unix_nano", TIME = "time_unix_nano", COUNT = "count",
        SUM = "sum", QUANTILES = "quantile_values", FLAGS = "flags",
    }
    quantile of VALUE_AT_QUANTILE { QUANTILE = "quantile", VALUE = "value", }
    exemplar of EXEMPLAR {
        ATTRIBUTES = "filtered_attributes", TIME = "time_unix_nano", AS_DOUBLE = "as_double", AS_INT = "as_int",
        SPAN_ID = "span_id", TRACE_ID = "trace_id",
    }
}
