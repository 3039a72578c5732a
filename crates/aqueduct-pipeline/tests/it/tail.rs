//! Whole traces: what is held, decided, given on and settled.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{BuildError, Builder, LaneConfig, Pipeline, Refused, TailSampling, Worker};
use aqueduct_sampling::tail::{Policy, PolicyKind, StatusCode, TailConfig};
use aqueduct_testkit::Oracle;
use aqueduct_wire::{Chunk, Limits, Signal};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane};

/// Nobody waits so long.
const LONG: Duration = Duration::from_secs(3_600);

fn errors() -> Policy {
    Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] })
}

fn waiting(grace: Option<Duration>) -> TailConfig {
    TailConfig::default()
        .with_num_traces(1_000)
        .with_decision_cache(1_000, 1_000)
        .with_decision_wait(LONG)
        .with_root_grace(grace)
}

fn builder(exporter: &Scripted, items: u64, config: TailConfig, policies: Vec<Policy>) -> Builder {
    Pipeline::builder(Signal::Traces)
        .config(batches_of(items))
        .destination(destination("test", exporter), LaneConfig::default())
        .tail_sampling(TailSampling::new(config, policies).unwrap())
}

/// A pipeline that samples by one policy, and was never used.
pub(crate) fn idle() -> Pipeline {
    builder(&Scripted::default(), 1, waiting(None), vec![errors()]).build().unwrap()
}

/// Span `number` of trace `trace`, whose first one is the root.
fn span(trace: u64, number: u64, error: bool) -> Span {
    let parent = if number == 0 { Vec::new() } else { 1_u64.to_be_bytes().to_vec() };
    Span {
        // The randomness of a trace is in the end of its id.
        trace_id: u128::from(trace + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
            .to_vec(),
        span_id: (trace * 1_000 + number + 1).to_be_bytes().to_vec(),
        parent_span_id: parent,
        name: format!("{trace}/{number}"),
        status: error.then(|| Status { code: 2, ..Status::default() }),
        ..Span::default()
    }
}

/// The spans in two resources with two scopes each.
fn request(spans: Vec<Span>) -> Vec<u8> {
    let mut records: Vec<ResourceSpans> = ["shop", "cart"]
        .map(|name| {
            let value = any_value::Value::StringValue(name.to_owned());
            let value = Some(AnyValue { value: Some(value) });
            let attribute = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
            let resource = Resource { attributes: vec![attribute], ..Resource::default() };
            ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![
                    ScopeSpans::default(),
                    ScopeSpans { schema_url: "url".to_owned(), ..ScopeSpans::default() },
                ],
                schema_url: name.to_owned(),
            }
        })
        .into();
    for (at, span) in spans.into_iter().enumerate() {
        records[at % 2].scope_spans[at / 2 % 2].spans.push(span);
    }
    ExportTraceServiceRequest { resource_spans: records }.encode_to_vec()
}

fn chunk(spans: Vec<Span>) -> Chunk {
    Chunk::validate(Signal::Traces, request(spans).into(), &Limits::default()).unwrap()
}

fn delivered(exporter: &Scripted) -> Vec<Span> {
    let requests = exporter.log().delivered;
    let requests = requests.iter().map(|bytes| ExportTraceServiceRequest::decode(&bytes[..]).unwrap());
    let records = requests.flat_map(|request| request.resource_spans);
    records.flat_map(|record| record.scope_spans).flat_map(|scope| scope.spans).collect()
}

/// Guards the whole way: of traces that come in pieces, side by side, those with an error are kept whole and unchanged, and the rest is counted.
#[test]
fn traces_with_errors_are_kept_whole() {
    let exporters = [Scripted::new([Step::Retry(None)]), Scripted::default()];
    let pipeline = builder(&exporters[0], 30, waiting(None), vec![errors()])
        .destination(destination("other", &exporters[1]), LaneConfig::default())
        .build()
        .unwrap();
    let is_bad = |trace: u64| trace % 7 == 3;
    let mut oracle = Oracle::new();
    let mut offered = 0;
    for number in 0..5 {
        for begin in (0..100).step_by(20) {
            // The error is in the third span.
            let spans: Vec<_> =
                (begin..begin + 20).map(|trace| span(trace, number, number == 2 && is_bad(trace))).collect();
            offered += spans.len() as u64;
            // The oracle sees each span with its resource and scope.
            let mut kept = ExportTraceServiceRequest::decode(&request(spans.clone())[..]).unwrap();
            for scope in kept.resource_spans.iter_mut().flat_map(|record| &mut record.scope_spans) {
                scope.spans.retain(|span| is_bad(span.name.split('/').next().unwrap().parse().unwrap()));
            }
            oracle.expect(Signal::Traces, &kept.encode_to_vec());
            pipeline.intake().offer(chunk(spans)).unwrap();
        }
    }
    let held = pipeline.status();
    for lane in &held {
        assert_eq!((lane.tail_items, lane.ledger.accepted, lane.ledger.held()), (offered, offered, offered));
        assert_eq!((lane.held_items(), lane.held_bytes), (offered, 0), "in no lane's budget");
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    let kept = (0..100).filter(|trace| is_bad(*trace)).count() as u64 * 5;
    for (lane, exporter) in report.lanes.iter().zip(&exporters) {
        assert_eq!((lane.ledger.accepted, lane.ledger.delivered, lane.tail_items), (offered, kept, 0));
        assert_eq!(lane.ledger.dropped(DropReason::NotSampled), offered - kept);
        assert_conserved(lane);
        let mut oracle = oracle.clone();
        exporter.log().delivered.iter().for_each(|request| oracle.receive(Signal::Traces, request));
        oracle.assert_exact();
    }
}

/// Guards the timer: what is complete is decided without anybody asking, and what comes late follows.
#[test]
fn a_complete_trace_is_decided_by_the_timer() {
    let exporter = Scripted::default();
    let pipeline =
        builder(&exporter, 1, waiting(Some(Duration::from_millis(1))), vec![errors()]).build().unwrap();
    let intake = pipeline.intake();
    intake.offer(chunk(vec![span(1, 0, true), span(1, 1, false)])).unwrap();
    exporter.wait_attempts(1);
    intake.offer(chunk(vec![span(1, 2, false)])).unwrap();
    exporter.wait_attempts(2);
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let mut names: Vec<_> = delivered(&exporter).into_iter().map(|span| span.name).collect();
    names.sort();
    assert_eq!(names, ["1/0", "1/1", "1/2"]);
    assert_eq!(report.lanes[0].ledger.delivered, 3);
    assert_conserved(&report.lanes[0]);
}

/// Guards the timer while it sleeps: for ever, and for something that is due later.
#[test]
fn the_timer_wakes_for_what_is_due_earlier() {
    let exporter = Scripted::default();
    let worker = Arc::new(Worker::start("tail").unwrap());
    let config = waiting(Some(Duration::from_millis(1)));
    let pipeline = builder(&exporter, 1, config, vec![errors()]).worker(Arc::clone(&worker)).build().unwrap();
    let other = Pipeline::builder(Signal::Traces)
        .worker(worker)
        .destination(destination("other", &exporter), LaneConfig::default())
        .build()
        .unwrap();
    other.intake().offer(chunk(vec![span(9, 0, false)])).unwrap();
    // The tasks of a worker take turns: when this one was there a few times, the timer sleeps.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let turns = || (0..4).for_each(|_| drop(runtime.block_on(other.flush_async(PATIENCE)).unwrap()));
    turns();
    pipeline.intake().offer(chunk(vec![span(1, 0, true)])).unwrap();
    // One of the other pipeline.
    exporter.wait_attempts(2);
    pipeline.intake().offer(chunk(vec![span(2, 1, true)])).unwrap();
    turns();
    pipeline.intake().offer(chunk(vec![span(3, 0, true)])).unwrap();
    exporter.wait_attempts(3);
    assert_eq!(lane(&pipeline).tail_items, 1, "the second one has no root");
    pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(delivered(&exporter).len(), 4);
}

/// Guards a flush: it decides what is held, and the pipeline goes on.
#[test]
fn a_flush_decides() {
    let exporter = Scripted::default();
    let pipeline = builder(&exporter, 1_000, waiting(None), vec![errors()]).build().unwrap();
    for trace in 0..10 {
        pipeline.intake().offer(chunk(vec![span(trace, 0, trace < 4), span(trace, 1, false)])).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let flushed = lane(&pipeline);
    assert_eq!((flushed.tail_items, flushed.ledger.delivered), (0, 8));
    assert_eq!(flushed.ledger.dropped(DropReason::NotSampled), 12);
    pipeline.intake().offer(chunk(vec![span(50, 0, true)])).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(lane(&pipeline).ledger.delivered, 9);
    assert_eq!(pipeline.intake().offer(chunk(vec![span(51, 0, true)])), Err(Refused::Closed));
    assert_conserved(&lane(&pipeline));
}

/// Guards the threshold of a share, which a span that has a greater one keeps.
#[test]
fn a_share_says_what_it_stands_for() {
    let exporter = Scripted::default();
    let half = PolicyKind::Probabilistic { sampling_percentage: 50.0, hash_salt: None };
    let pipeline = builder(&exporter, 10, waiting(None), vec![Policy::new("half", half)]).build().unwrap();
    for trace in 0..200 {
        let mut spans = vec![span(trace, 0, false), span(trace, 1, false), span(trace, 2, false)];
        spans[1].trace_state = "a=1,ot=x:1".to_owned();
        spans[2].trace_state = "ot=th:c".to_owned();
        pipeline.intake().offer(chunk(spans)).unwrap();
    }
    pipeline.shutdown(PATIENCE).unwrap();
    let spans = delivered(&exporter);
    assert!((180..420).contains(&spans.len()), "{}", spans.len());
    for span in spans {
        let expected = match span.name.split('/').nth(1) {
            Some("0") => "ot=th:8",
            Some("1") => "ot=th:8;x:1,a=1",
            _ => "ot=th:c",
        };
        assert_eq!(span.trace_state, expected);
        assert!(span.trace_id[9] >= 0x80, "the threshold is that of the decision");
    }
    assert_conserved(&lane(&pipeline));
}

/// Guards the bound: more traces than there is room for are decided early, and none is lost.
#[test]
fn pressure_decides_and_loses_nothing() {
    let exporter = Scripted::default();
    let config = waiting(None).with_num_traces(10).with_decision_cache(10, 10);
    let pipeline = builder(&exporter, 1_000, config, vec![errors()]).build().unwrap();
    for trace in 0..500 {
        pipeline.intake().offer(chunk(vec![span(trace, 0, trace % 5 == 0)])).unwrap();
        assert!(lane(&pipeline).tail_items <= 10);
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let ledger = &report.lanes[0].ledger;
    assert_eq!(ledger.accepted, 500);
    assert_eq!(ledger.delivered + ledger.dropped(DropReason::NotSampled), 500);
    assert!(ledger.delivered >= 100, "every error is kept");
    assert_conserved(&report.lanes[0]);
}

/// Guards what cannot be: other signals, deliveries, bytes that are no request.
#[test]
fn what_cannot_be_sampled_is_said() {
    let exporter = Scripted::default();
    let tail = TailSampling::new(waiting(None), vec![errors()]).unwrap();
    let logs = Pipeline::builder(Signal::Logs)
        .destination(destination("test", &exporter), LaneConfig::default())
        .tail_sampling(tail)
        .build();
    assert!(matches!(logs, Err(BuildError::TailOf(Signal::Logs))));
    let pipeline = builder(&exporter, 1, waiting(None), vec![errors()]).build().unwrap();
    let followed = pipeline.intake().offer_acknowledged(chunk(vec![span(1, 0, true)]));
    assert_eq!(followed.err(), Some(Refused::NotFollowed));
    let broken = Chunk::from_valid(Signal::Traces, 2, Bytes::from_static(b"\x0a\x7f"));
    pipeline.intake().offer(broken).unwrap();
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(report.lanes[0].ledger.delivered, 2, "it passed");
    assert_conserved(&report.lanes[0]);
}

/// The samples of one metric, without its name: labels in braces, a space and the value.
fn samples(page: &str, name: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with('{'))
        .map(str::to_owned)
        .collect()
}

/// Guards every counter against another's place: each reason, vote and name of a policy has another number.
#[test]
fn decisions_are_published() {
    let exporter = Scripted::default();
    let marked = PolicyKind::TraceState { key: "drop".to_owned(), values: vec!["yes".to_owned()] };
    let never = Policy::new("never", PolicyKind::Drop(vec![Policy::new("marked", marked)]));
    let config = waiting(Some(Duration::ZERO)).with_pressure_sampling_percentage(100.0).with_num_traces(3);
    let pipeline = builder(&exporter, 1, config, vec![errors(), never]).build().unwrap();
    let offer = |spans: Vec<Span>| pipeline.intake().offer(chunk(spans)).unwrap();
    // Roots: two with errors, of two spans each, and one that asks to be dropped. The next offer decides the last one.
    offer(vec![span(1, 1, true), span(1, 0, false)]);
    offer(vec![span(2, 1, true), span(2, 0, false)]);
    offer(vec![Span { trace_state: "drop=yes".to_owned(), ..span(3, 0, false) }]);
    // Without roots: five for which there is not room, with three that stay.
    (10..18).for_each(|trace| offer(vec![span(trace, 1, false)]));
    // Late: three for a sampled trace, one for one that is not.
    offer(vec![span(1, 2, false), span(1, 3, false), span(1, 4, false), span(3, 1, false)]);
    let status = pipeline.tail_status().unwrap();
    let page = || {
        let mut page = aqueduct_metrics::Exposition::new();
        aqueduct_pipeline::write_tail_metrics([("traces/a", &pipeline.tail_status().unwrap())], &mut page);
        page.prometheus_text()
    };
    let text = page();
    let of = |name: &str| samples(&text, &format!("aqueduct_tail_sampling_{name}"));
    let pair = |reason: &str, sampled: u64, not_sampled: u64| {
        let line = |decision: &str, count: u64| {
            format!("{{pipeline=\"traces/a\"{reason},decision=\"{decision}\"}} {count}")
        };
        [line("sampled", sampled), line("not_sampled", not_sampled)]
    };
    let traces = [
        pair(",reason=\"root\"", 2, 1),
        pair(",reason=\"timeout\"", 0, 0),
        pair(",reason=\"pressure\"", 5, 0),
        pair(",reason=\"drain\"", 0, 0),
    ];
    assert_eq!(of("traces_total"), traces.concat());
    assert_eq!(of("spans_total"), pair("", 4 + 5 + 3, 1 + 1));
    assert_eq!(of("late_spans_total"), pair("", 3, 1));
    let alone = |count: u64| [format!("{{pipeline=\"traces/a\"}} {count}")];
    assert_eq!(of("pressure_sampled_traces_total"), alone(5));
    assert_eq!((of("held_traces"), of("held_spans")), (alone(3).to_vec(), alone(3).to_vec()));
    assert_eq!(of("held_bytes"), alone(status.stats.held_bytes));
    assert_eq!(of("capacity_bytes"), alone(status.max_bytes));
    assert!(0 < status.stats.held_bytes && status.stats.held_bytes < status.max_bytes);
    let votes = |policy: &str, counts: [u64; 3]| {
        let line = |(decision, count)| {
            format!("{{pipeline=\"traces/a\",policy=\"{policy}\",decision=\"{decision}\"}} {count}")
        };
        ["sampled", "not_sampled", "dropped"].into_iter().zip(counts).map(line).collect::<Vec<_>>()
    };
    // What is dropped nobody else votes on.
    assert_eq!(of("policy_traces_total"), [votes("errors", [2, 5, 0]), votes("never", [0, 7, 1])].concat());
    let named = |errors: u64, never: u64| {
        [("errors", errors), ("never", never)]
            .map(|(policy, count)| format!("{{pipeline=\"traces/a\",policy=\"{policy}\"}} {count}"))
    };
    assert_eq!(of("policy_decided_traces_total"), named(2, 1));
    assert_eq!(of("policy_decided_spans_total"), named(4, 1));
    pipeline.shutdown(PATIENCE).unwrap();
    let drained = samples(&page(), "aqueduct_tail_sampling_traces_total");
    assert_eq!(drained[6..], pair(",reason=\"drain\"", 0, 3));
    assert_conserved(&lane(&pipeline));
}

/// Guards pipelines that do not sample: no number says that nothing was sampled.
#[test]
fn without_a_sampler_there_is_nothing_to_publish() {
    let pipeline = crate::scripted::pipeline(&Scripted::default(), 1);
    assert!(pipeline.tail_status().is_none());
}
