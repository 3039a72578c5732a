//! Spans.

use super::Generator;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

impl Generator {
    pub(super) fn resource_spans(&mut self, items: usize) -> ResourceSpans {
        ResourceSpans {
            resource: self.resource(),
            scope_spans: self.spread(items, 2, |generator, items| ScopeSpans {
                scope: generator.scope(),
                spans: (0..items).map(|_| generator.span()).collect(),
                schema_url: generator.random.text(),
            }),
            schema_url: self.random.text(),
        }
    }

    fn span(&mut self) -> Span {
        let span_id = self.unique_id();
        let random = &mut self.random;
        Span {
            trace_id: random.id(16),
            span_id,
            trace_state: if random.one_in(3) {
                "ot=th:8;rv:abcdef01234567".to_owned()
            } else {
                String::new()
            },
            parent_span_id: random.maybe_id(8),
            flags: random.below(0x400) as u32,
            name: random.text(),
            kind: random.below(6) as i32,
            start_time_unix_nano: random.time(),
            end_time_unix_nano: random.time(),
            attributes: random.attributes(),
            dropped_attributes_count: random.dropped(),
            events: random.some(0, 2, |random| Event {
                time_unix_nano: random.time(),
                name: random.text(),
                attributes: random.attributes(),
                dropped_attributes_count: random.dropped(),
            }),
            dropped_events_count: random.dropped(),
            links: random.some(0, 2, |random| Link {
                trace_id: random.id(16),
                span_id: random.id(8),
                trace_state: random.text(),
                attributes: random.attributes(),
                dropped_attributes_count: random.dropped(),
                flags: random.below(0x400) as u32,
            }),
            dropped_links_count: random.dropped(),
            status: random.maybe(|random| Status { message: random.text(), code: random.below(3) as i32 }),
        }
    }
}
