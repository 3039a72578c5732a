//! Sampling of bytes, against a sampler of prost's structs.

mod bytes;
mod logs;
mod spans;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneConfig, Pipeline, ProbabilisticSampler};
use aqueduct_sampling::{DownstreamConfig, DownstreamMode, DownstreamSampler, ItemFacts, Value};
use aqueduct_testkit::Oracle;
use aqueduct_wire::{Chunk, Limits, Signal};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

use crate::scripted::{PATIENCE, Scripted, assert_conserved, batches_of, destination};

const MODES: [DownstreamMode; 4] = [
    DownstreamMode::Proportional,
    DownstreamMode::Equalizing,
    DownstreamMode::HashSeed(0),
    DownstreamMode::HashSeed(22),
];

fn sampler(percentage: f64, mode: DownstreamMode) -> DownstreamSampler {
    with(percentage, mode, |_| {})
}

fn with(percentage: f64, mode: DownstreamMode, set: impl FnOnce(&mut DownstreamConfig)) -> DownstreamSampler {
    let mut config = DownstreamConfig::default();
    (config.percentage, config.mode) = (percentage, mode);
    set(&mut config);
    DownstreamSampler::new(&config).unwrap()
}

/// What samplers see of prost's structs.
struct Decoded<'a> {
    trace_id: &'a [u8],
    trace_state: &'a str,
    attributes: &'a [KeyValue],
}

impl ItemFacts for Decoded<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.trace_id.try_into().unwrap_or_default()
    }

    fn ot(&self) -> &str {
        let member = self.trace_state.split(',').find_map(|member| member.trim().strip_prefix("ot="));
        member.unwrap_or_default()
    }

    fn attribute(&self, key: &str) -> Option<Value<'_>> {
        let pair = self.attributes.iter().find(|pair| pair.key == key)?;
        match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(Value::Str(text)),
            any_value::Value::IntValue(number) => Some(Value::Int(*number)),
            any_value::Value::DoubleValue(number) => Some(Value::Double(*number)),
            any_value::Value::BoolValue(truth) => Some(Value::Bool(*truth)),
            _ => None,
        }
    }
}

fn text(key: &str, text: &str) -> KeyValue {
    let value = any_value::Value::StringValue(text.to_owned());
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn integer(key: &str, number: i64) -> KeyValue {
    let value = any_value::Value::IntValue(number);
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn valid(signal: Signal, request: Vec<u8>) -> Chunk {
    Chunk::validate(signal, request.into(), &Limits::default()).unwrap()
}

/// Sends requests through a pipeline that samples, and compares what comes out with what is expected of each, and the ledger with both.
fn check(sampler: &DownstreamSampler, signal: Signal, requests: Vec<(Vec<u8>, Vec<u8>)>) -> u64 {
    let exporter = Scripted::default();
    let pipeline = Pipeline::builder(signal)
        .config(batches_of(50))
        .destination(destination("test", &exporter), LaneConfig::default())
        .transform(ProbabilisticSampler::new(sampler.clone()))
        .build()
        .unwrap();
    let (mut oracle, mut offered, mut kept) = (Oracle::new(), 0, 0);
    for (request, expected) in requests {
        let request = valid(signal, request);
        offered += request.items();
        kept += valid(signal, expected.clone()).items();
        oracle.expect(signal, &expected);
        pipeline.intake().offer(request).unwrap();
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    exporter.log().delivered.iter().for_each(|request| oracle.receive(signal, request));
    oracle.assert_exact();
    let lane = &report.lanes[0];
    assert_eq!((lane.ledger.accepted, lane.ledger.delivered), (offered, kept));
    assert_eq!(lane.ledger.dropped(DropReason::NotSampled), offered - kept);
    assert_conserved(lane);
    kept
}

/// Guards the counters: of clones together, of both signals, and not of what passes.
#[test]
fn what_is_kept_and_left_out_is_counted() {
    use aqueduct_pipeline::Transform;
    use aqueduct_testkit::Generator;

    let half = ProbabilisticSampler::new(sampler(50.0, DownstreamMode::HashSeed(3)));
    let mut generator = Generator::new(5);
    let (mut kept, mut offered) = (0, 0);
    for signal in [Signal::Traces, Signal::Logs] {
        for _ in 0..5 {
            let chunk = generator.chunk(signal, 40);
            offered += chunk.items();
            kept += half.clone().transform(chunk).items();
        }
    }
    half.transform(generator.chunk(Signal::Metrics, 40));
    let stats = half.stats();
    assert_eq!((stats.sampled, stats.not_sampled), (kept, offered - kept));
    assert!(stats.sampled > 0 && stats.not_sampled > 0, "{stats:?}");
    let mut page = aqueduct_metrics::Exposition::new();
    aqueduct_pipeline::write_sampler_metrics([("logs/b", "probabilistic_sampler/x", &half)], &mut page);
    let text = page.prometheus_text();
    for (decision, count) in [("sampled", stats.sampled), ("not_sampled", stats.not_sampled)] {
        let sample = format!(
            "aqueduct_probabilistic_sampler_items_total{{pipeline=\"logs/b\",processor=\"probabilistic_sampler/x\",\
             decision=\"{decision}\"}} {count}\n"
        );
        assert!(text.contains(&sample), "{text}");
    }
}
