//! Spans: kept or not as the sampler says of the decoded span, and their trace states.

use aqueduct_sampling::{DownstreamMode, DownstreamSampler};
use aqueduct_testkit::Generator;
use aqueduct_wire::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{Decoded, MODES, check, integer, sampler, text, with};

/// As trace states come: none, of others, of samplers before, and broken.
const STATES: [&str; 10] = [
    "",
    "congo=t61rcWkgMzE",
    "ot=th:8",
    "rojo=1,ot=th:4;vendor:x,congo=2",
    "ot=rv:fedcba98765432",
    "rojo=1, ot=rv:00000000000001;th:0",
    "ot=th:zz",
    "ot=vendor:x;th:80",
    "no member,ot=",
    "ot=th:c,ot=th:8",
];

fn facts(span: &Span) -> Decoded<'_> {
    Decoded { trace_id: &span.trace_id, trace_state: &span.trace_state, attributes: &span.attributes }
}

/// The header with another value of `ot`, in front, or without one.
fn rewritten(header: &str, ot: &str) -> String {
    let others =
        header.split(',').map(str::trim).filter(|member| !member.is_empty() && !member.starts_with("ot="));
    let own = (!ot.is_empty()).then(|| format!("ot={ot}"));
    own.into_iter().chain(others.map(str::to_owned)).collect::<Vec<_>>().join(",")
}

/// What becomes of a request: everything is decoded, judged, and encoded again.
fn naive(sampler: &DownstreamSampler, request: &ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let mut request = request.clone();
    for resource in &mut request.resource_spans {
        for scope in &mut resource.scope_spans {
            scope.spans.retain(|span| sampler.span(&facts(span)).kept);
            for span in &mut scope.spans {
                let verdict = sampler.span(&facts(span));
                let before = facts(span).trace_state.to_owned();
                let ot = before
                    .split(',')
                    .find_map(|member| member.trim().strip_prefix("ot="))
                    .unwrap_or_default();
                let fields = |ot: &str| {
                    let of = |key: &str| {
                        let digits =
                            ot.split(';').find_map(|field| field.strip_prefix(key).map(str::to_owned))?;
                        let hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                        hex.then(|| digits.trim_end_matches('0').to_owned())
                    };
                    (of("th:"), of("rv:"))
                };
                let mut after = String::new();
                verdict.write_ot(ot, &mut after);
                let broken = fields(ot).0.is_none() && ot.contains("th:");
                if fields(ot) != fields(&after) || broken {
                    span.trace_state = rewritten(&before, &after);
                }
            }
        }
    }
    request
}

/// Requests in which trace states and priorities are of every kind.
fn requests(seed: u64) -> Vec<ExportTraceServiceRequest> {
    let mut generator = Generator::new(seed);
    let mut number = seed as usize;
    let sizes = [1, 7, 60, 200];
    let mut requests: Vec<_> = sizes.iter().map(|items| generator.traces(*items)).collect();
    for request in &mut requests {
        let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        for span in scopes.flat_map(|scope| &mut scope.spans) {
            number += 1;
            span.trace_state = STATES[number % STATES.len()].to_owned();
            match number % 23 {
                0 => span.attributes.push(integer("sampling.priority", 0)),
                1 => span.attributes.push(integer("sampling.priority", 1)),
                2 => span.attributes.push(text("sampling.priority", "2.5")),
                3 => span.trace_id = vec![0; 16],
                _ => {}
            }
        }
    }
    requests
}

/// Guards the whole way: what is decided of bytes is what is decided of structs, in every mode, and nothing else changes.
#[test]
fn spans_are_sampled_as_decoded_ones_are() {
    let mut kept = 0;
    for (seed, mode) in (0..).zip(MODES.into_iter().cycle().take(8)) {
        for percentage in [0.0, 0.5, 30.0, 100.0] {
            for fail_closed in [true, false] {
                let sampler = with(percentage, mode, |config| config.fail_closed = fail_closed);
                let pairs = requests(seed)
                    .into_iter()
                    .map(|request| (request.encode_to_vec(), naive(&sampler, &request).encode_to_vec()));
                kept += check(&sampler, Signal::Traces, pairs.collect());
            }
        }
    }
    assert!(kept > 1_000, "the comparison is of something: {kept}");
}

/// Guards the threshold that travels: two tiers of a half each leave a quarter, which says that it stands for four.
#[test]
fn two_tiers_multiply() {
    let half = sampler(50.0, DownstreamMode::Proportional);
    let request = Generator::new(5).traces(400);
    let mut request = request;
    for span in request.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans)
    {
        span.trace_state.clear();
    }
    let once = naive(&half, &request);
    let twice = naive(&half, &once);
    check(&half, Signal::Traces, vec![(request.encode_to_vec(), once.encode_to_vec())]);
    let kept = check(&half, Signal::Traces, vec![(once.encode_to_vec(), twice.encode_to_vec())]);
    let spans = twice.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    assert!(spans.clone().all(|span| span.trace_state == "ot=th:c"));
    assert!((60..140).contains(&kept), "{kept} of 400");
}
