//! `OTEL_ATTRIBUTE_*`, `OTEL_SPAN_*`, `OTEL_EVENT_*`, `OTEL_LINK_*` and `OTEL_LOGRECORD_*`: what comes first is the variable for the kind of item, then that
//! for all kinds.

use super::Reader;
use crate::limits::Limits;

pub(super) fn read(reader: &mut Reader<'_>) -> Limits {
    let defaults = Limits::default();
    let all_count = reader.read("OTEL_ATTRIBUTE_COUNT_LIMIT", whole);
    let all_length = reader.read("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", whole);
    let mut count = |name: &str, default: u32| reader.read(name, whole).unwrap_or(default);
    let span_events = count("OTEL_SPAN_EVENT_COUNT_LIMIT", defaults.span_events);
    let span_links = count("OTEL_SPAN_LINK_COUNT_LIMIT", defaults.span_links);
    let event_attributes =
        count("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", all_count.unwrap_or(defaults.event_attributes));
    let link_attributes =
        count("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", all_count.unwrap_or(defaults.link_attributes));
    let span_attributes =
        count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", all_count.unwrap_or(defaults.span_attributes));
    let log_attributes =
        count("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", all_count.unwrap_or(defaults.log_attributes));
    Limits {
        span_attributes,
        span_events,
        span_links,
        event_attributes,
        link_attributes,
        span_value_length: reader.read("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", whole).or(all_length),
        log_attributes,
        log_value_length: reader.read("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", whole).or(all_length),
    }
}

fn whole(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected a whole number from 0 to 4294967295".to_owned())
}
