//! Log records with every field set.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use super::super::json::Specials;
use super::FILLERS;
use super::values::{
    END, START, TEXT, any, attributes, number, plain_resource, resource, scope, span_id, text, trace_id,
};

pub(super) fn request(specials: &Specials) -> ExportLogsServiceRequest {
    let rich = ResourceLogs {
        resource: Some(resource(specials)),
        scope_logs: vec![
            ScopeLogs {
                scope: Some(scope(specials)),
                log_records: records(specials),
                schema_url: "https://example.com/scope/1.0".to_owned(),
            },
            ScopeLogs { scope: None, log_records: bodies(specials), schema_url: TEXT.to_owned() },
        ],
        schema_url: "https://example.com/resource/1.0".to_owned(),
    };
    let plain = ResourceLogs {
        resource: Some(plain_resource()),
        scope_logs: vec![ScopeLogs {
            log_records: (0..FILLERS).map(filler).collect(),
            ..ScopeLogs::default()
        }],
        schema_url: String::new(),
    };
    ExportLogsServiceRequest { resource_logs: vec![rich, plain, ResourceLogs::default()] }
}

/// One record of each severity.
fn records(specials: &Specials) -> Vec<LogRecord> {
    (0..=24_i32)
        .map(|severity_number| {
            let index = severity_number.unsigned_abs();
            LogRecord {
                time_unix_nano: START + u64::from(index),
                observed_time_unix_nano: END,
                severity_number,
                severity_text: format!("{TEXT}{index}"),
                body: Some(text(TEXT)),
                attributes: attributes(specials),
                dropped_attributes_count: u32::MAX - index,
                flags: [1, 0, u32::MAX][index as usize % 3],
                trace_id: trace_id(index),
                span_id: span_id(index),
                event_name: format!("event {TEXT}{index}"),
            }
        })
        .collect()
}

/// A record for each kind of body: every attribute value as a body of its own, all of them as a map, and none.
fn bodies(specials: &Specials) -> Vec<LogRecord> {
    let attributes = attributes(specials);
    let map = any(Value::KvlistValue(KeyValueList { values: attributes.clone() }));
    let bodies = attributes.into_iter().map(|attribute| attribute.value).chain([Some(map), None]);
    (0..)
        .zip(bodies)
        .map(|(index, body): (u32, Option<AnyValue>)| LogRecord {
            body,
            attributes: vec![number(index)],
            ..LogRecord::default()
        })
        .collect()
}

fn filler(index: u32) -> LogRecord {
    LogRecord {
        time_unix_nano: START,
        body: Some(text("filler")),
        attributes: vec![number(index)],
        ..LogRecord::default()
    }
}
