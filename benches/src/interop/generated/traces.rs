//! Spans with every field set.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::super::json::Specials;
use super::FILLERS;
use super::values::{
    END, START, TEXT, attributes, number, plain_resource, resource, scope, span_id, trace_id,
};

pub(super) fn request(specials: &Specials) -> ExportTraceServiceRequest {
    let rich = ResourceSpans {
        resource: Some(resource(specials)),
        scope_spans: vec![
            ScopeSpans {
                scope: Some(scope(specials)),
                spans: spans(specials),
                schema_url: "https://example.com/scope/1.0".to_owned(),
            },
            // The same scope once more: a gateway may join the two or not.
            ScopeSpans {
                scope: Some(scope(specials)),
                spans: vec![minimal(FILLERS + 2)],
                schema_url: String::new(),
            },
            ScopeSpans { scope: None, spans: vec![minimal(0)], schema_url: String::new() },
            ScopeSpans {
                scope: Some(InstrumentationScope::default()),
                spans: Vec::new(),
                schema_url: TEXT.to_owned(),
            },
        ],
        schema_url: "https://example.com/resource/1.0".to_owned(),
    };
    let plain = ResourceSpans {
        resource: Some(plain_resource()),
        scope_spans: vec![ScopeSpans {
            spans: (1..=FILLERS).map(minimal).collect(),
            ..ScopeSpans::default()
        }],
        schema_url: String::new(),
    };
    let nameless = ResourceSpans {
        resource: None,
        scope_spans: vec![ScopeSpans { spans: vec![minimal(FILLERS + 1)], ..ScopeSpans::default() }],
        schema_url: String::new(),
    };
    let empty = ResourceSpans { resource: Some(Resource::default()), ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![rich, plain, nameless, empty] }
}

/// One span of each kind and status.
fn spans(specials: &Specials) -> Vec<Span> {
    (0..=5_i32)
        .map(|kind| {
            let index = kind.unsigned_abs();
            Span {
                trace_id: trace_id(index),
                span_id: span_id(index),
                trace_state: "vendor=t61rcWkgMzE,other@tenant=00f067aa0ba902b7".to_owned(),
                parent_span_id: span_id(index + 100),
                flags: [0x301, 0x100, u32::MAX][index as usize % 3],
                name: format!("{TEXT}{kind}"),
                kind,
                start_time_unix_nano: START + u64::from(index),
                end_time_unix_nano: END,
                attributes: attributes(specials),
                dropped_attributes_count: index + 1,
                events: events(specials),
                dropped_events_count: u32::MAX - index,
                links: links(specials),
                dropped_links_count: index + 2,
                status: Some(Status { message: format!("{TEXT}{kind}"), code: kind % 3 }),
            }
        })
        .collect()
}

fn events(specials: &Specials) -> Vec<Event> {
    vec![
        Event {
            time_unix_nano: START + 1,
            name: TEXT.to_owned(),
            attributes: attributes(specials),
            dropped_attributes_count: 7,
        },
        Event { time_unix_nano: u64::MAX, ..Event::default() },
        Event::default(),
    ]
}

fn links(specials: &Specials) -> Vec<Link> {
    vec![
        Link {
            trace_id: trace_id(77),
            span_id: span_id(78),
            trace_state: "a=b".to_owned(),
            attributes: attributes(specials),
            dropped_attributes_count: 9,
            flags: 0x300,
        },
        Link { trace_id: trace_id(79), span_id: span_id(80), ..Link::default() },
    ]
}

fn minimal(index: u32) -> Span {
    Span {
        trace_id: trace_id(1000 + index),
        span_id: span_id(index),
        name: format!("filler {index}"),
        start_time_unix_nano: START,
        attributes: vec![number(index)],
        ..Span::default()
    }
}
