//! Log records: by their traces and by an attribute, and what they say of it.

use aqueduct_sampling::{AttributeSource, DownstreamMode, DownstreamSampler, ItemFacts, Value};
use aqueduct_testkit::Generator;
use aqueduct_wire::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::{Decoded, MODES, check, integer, text, with};

fn facts(record: &LogRecord) -> Decoded<'_> {
    Decoded { trace_id: &record.trace_id, trace_state: "", attributes: &record.attributes }
}

fn records(request: &mut ExportLogsServiceRequest) -> impl Iterator<Item = &mut LogRecord> {
    request.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records)
}

/// Puts the attribute where the first one with its key is, as the only one, or last.
fn upsert(record: &mut LogRecord, key: &str, value: &str) {
    let mut seen = false;
    record.attributes.retain_mut(|pair| {
        let first = pair.key != key || !std::mem::replace(&mut seen, true);
        if first && pair.key == key {
            *pair = text(key, value);
        }
        first
    });
    if !seen {
        record.attributes.push(text(key, value));
    }
}

/// The threshold that a record says it has.
fn first(record: &LogRecord) -> Option<String> {
    match facts(record).attribute("sampling.threshold") {
        Some(Value::Str(text)) => Some(text.to_owned()),
        _ => None,
    }
}

fn naive(sampler: &DownstreamSampler, request: &ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    let mut request = request.clone();
    for scope in request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs) {
        scope.log_records.retain(|record| sampler.log(&facts(record)).kept);
    }
    for record in records(&mut request) {
        let verdict = sampler.log(&facts(record));
        match verdict.threshold {
            // The first one counts.
            Some(threshold) if first(record).is_some_and(|text| text.parse() == Ok(threshold)) => {}
            Some(threshold) => upsert(record, "sampling.threshold", &threshold.to_string()),
            None => record.attributes.retain(|pair| pair.key != "sampling.threshold"),
        }
        if let Some(randomness) = verdict.randomness {
            upsert(record, "sampling.randomness", &randomness.to_string());
        }
    }
    request
}

fn requests(seed: u64) -> Vec<ExportLogsServiceRequest> {
    let mut generator = Generator::new(seed);
    let mut number = seed as usize;
    let mut requests: Vec<_> = [1, 9, 150].iter().map(|items| generator.logs(*items)).collect();
    for record in requests.iter_mut().flat_map(records) {
        number += 1;
        match number % 11 {
            0 => record.attributes.push(text("sampling.threshold", "8")),
            1 => record.attributes.push(text("sampling.threshold", "not one")),
            2 => record.attributes.push(integer("sampling.threshold", 8)),
            3 => record.attributes.push(text("sampling.randomness", "fedcba98765432")),
            4 => record.attributes.extend([integer("priority", 75), text("request.id", "a")]),
            5 => record.trace_id.clear(),
            6 => {
                record.trace_id.clear();
                record.attributes.push(text("request.id", &number.to_string()));
            }
            7 => record.attributes.push(integer("request.id", number as i64)),
            8 => record.attributes.extend([text("sampling.threshold", "4"), text("sampling.threshold", "8")]),
            _ => {}
        }
    }
    requests
}

/// Guards the whole way, as for spans, by trace and by attribute.
#[test]
fn log_records_are_sampled_as_decoded_ones_are() {
    let mut kept = 0;
    for (seed, mode) in (0..).zip(MODES) {
        for percentage in [0.0, 25.0, 100.0] {
            for (source, fail_closed) in
                [AttributeSource::TraceId, AttributeSource::Record].into_iter().zip([true, false])
            {
                let sampler = with(percentage, mode, |config| {
                    config.fail_closed = fail_closed;
                    config.attribute_source = source;
                    config.from_attribute = Some("request.id".to_owned());
                    config.priority = Some("priority".to_owned());
                });
                let pairs = requests(seed)
                    .into_iter()
                    .map(|request| (request.encode_to_vec(), naive(&sampler, &request).encode_to_vec()));
                kept += check(&sampler, Signal::Logs, pairs.collect());
            }
        }
    }
    assert!(kept > 500, "the comparison is of something: {kept}");
}

/// Guards what the attribute is for: all records with one value are kept or not together, whatever their traces.
#[test]
fn records_with_one_value_stay_together() {
    let sampler = with(50.0, DownstreamMode::HashSeed(3), |config| {
        config.attribute_source = AttributeSource::Record;
        config.from_attribute = Some("pod".to_owned());
    });
    let mut request = Generator::new(8).logs(300);
    for (number, record) in records(&mut request).enumerate() {
        record.attributes = vec![text("pod", &(number % 10).to_string())];
    }
    let kept = naive(&sampler, &request);
    let count = check(&sampler, Signal::Logs, vec![(request.encode_to_vec(), kept.encode_to_vec())]);
    assert!(count.is_multiple_of(30) && count > 0 && count < 300, "{count} of 300 records of 10 pods");
}
