//! The tail sampler: what holding, deciding and remembering costs a span.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use aqueduct_sampling::tail::{
    AttributeValue, Composite, Decided, Policies, Policy, PolicyKind, StatusCode, TailConfig, TailSampler,
    TailSpan, TextMatching, Trigger,
};
use bytes::Bytes;

use crate::Failure;
use crate::harness::Run;

pub(super) const PEER: &str = "std HashMap of vectors";

#[derive(Clone)]
struct Span {
    trace: [u8; 16],
    root: bool,
    status: StatusCode,
    start: u64,
    end: u64,
    code: i64,
    bytes: Bytes,
}

impl TailSpan for Span {
    fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn start_unix_nano(&self) -> u64 {
        self.start
    }

    fn end_unix_nano(&self) -> u64 {
        self.end
    }

    fn status(&self) -> StatusCode {
        self.status
    }

    fn attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        match key {
            "http.route" => Some(AttributeValue::Str("/users/{id}")),
            "http.response.status_code" => Some(AttributeValue::Int(self.code)),
            _ => None,
        }
    }

    fn trace_state(&self) -> &str {
        ""
    }

    fn held_bytes(&self) -> usize {
        400
    }
}

const SPANS: u64 = 20;
const OPEN: u64 = 1000;
const STEP: Duration = Duration::from_micros(5);
const GRACE: Duration = Duration::from_millis(100);

/// Spans as they come: a round of the next span of each open trace, until these are complete.
struct Traffic {
    round: u64,
    now: Instant,
    body: Bytes,
}

impl Traffic {
    fn new() -> Self {
        Traffic { round: 0, now: Instant::now(), body: Bytes::from(vec![7; 400]) }
    }

    fn traces(&mut self, open: u64, spans: u64, mut each: impl FnMut(Span, Instant)) {
        let from = self.round * open;
        self.round += 1;
        for span in 0..spans {
            for n in from..from + open {
                self.now += STEP;
                each(self.span(n, span, spans), self.now);
            }
        }
    }

    fn span(&self, n: u64, span: u64, of: u64) -> Span {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let trace = (u128::from(mixed) << 64 | u128::from(mixed.rotate_left(31) ^ n)).to_be_bytes();
        let error = n % 100 == 17 && span == n % of;
        let status = if error { StatusCode::Error } else { StatusCode::Unset };
        let start = 1_700_000_000_000_000_000 + n;
        Span {
            trace,
            root: span + 1 == of,
            status,
            start,
            end: start + span,
            code: 200,
            bytes: self.body.clone(),
        }
    }
}

fn errors() -> Policy {
    Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] })
}

fn policies() -> Vec<Policy> {
    let text = |name: &str, value: &str, invert_match| {
        let (key, values, matching) = ("http.route".into(), vec![value.into()], TextMatching::Exact);
        Policy::new(name, PolicyKind::StringAttribute { key, values, matching, invert_match })
    };
    let key = "http.response.status_code".to_owned();
    let codes =
        PolicyKind::NumericAttribute { key, min_value: Some(500), max_value: Some(599), invert_match: false };
    let share = |sampling_percentage| PolicyKind::Probabilistic { sampling_percentage, hash_salt: None };
    let rate = PolicyKind::RateLimiting { spans_per_second: 100, burst_capacity: None };
    let composite = Composite::new(100, vec![errors(), Policy::new("all", PolicyKind::AlwaysSample)]);
    vec![
        Policy::new("health", PolicyKind::Drop(vec![text("route", "/health", false)])),
        errors(),
        Policy::new("slow", PolicyKind::Latency { threshold: Duration::from_secs(5), upper_threshold: None }),
        Policy::new("codes", codes),
        text("checkout", "/checkout", false),
        Policy::new("share", share(0.1)),
        Policy::new("large", PolicyKind::SpanCount { min_spans: 500, max_spans: None }),
        Policy::new("rate", rate),
        Policy::new(
            "users",
            PolicyKind::And(vec![text("route", "/users/{id}", false), Policy::new("share", share(0.1))]),
        ),
        Policy::new("composite", PolicyKind::Composite(composite)),
    ]
}

/// Offered, held, decided, handed back.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let open = run.effort().pick(10, OPEN, OPEN);
    against_a_map(run, open)?;

    let mut busy = Bench::new(config(), &policies())?;
    run.alone("tail: ten policies", open * SPANS, || busy.traces(open, SPANS))?;

    let tables = config().with_num_traces(2000).with_decision_cache(1000, 10_000);
    // A span takes some 500 bytes with its share of the vector.
    let room = tables.reserved_bytes() + (open * SPANS) as usize * 500 / 4;
    let room = room.max(2 * tables.reserved_bytes());
    let mut tight = Bench::new(tables.with_max_bytes(room), &[errors()])?;
    run.alone("tail: under pressure", open * SPANS, || tight.traces(open, SPANS))?;
    if open == OPEN && run.wants("tail: under pressure") {
        assert!(tight.sampler.stats().pressure.not_sampled > 0, "there was no room");
    }

    let mut late = Bench::new(config(), &[errors()])?;
    late.traces(open, SPANS);
    late.sampler.drain(late.traffic.now, |_| {});
    run.alone("tail: late spans", open * SPANS, || {
        late.traffic.round = 0;
        late.traces(open, SPANS)
    })?;
    let stats = late.sampler.stats();
    assert_eq!(
        stats.late.sampled + stats.late.not_sampled + open * SPANS,
        stats.offered_spans,
        "all others were late"
    );

    let mut single = Bench::new(config(), &[errors()])?;
    run.alone("tail: traces of one span", open * SPANS, || single.traces(open * SPANS, 1))
}

fn config() -> TailConfig {
    TailConfig::default()
        .with_root_grace(Some(GRACE))
        .with_num_traces(50_000)
        .with_decision_cache(5_000, 50_000)
}

struct Bench {
    sampler: TailSampler<Span>,
    traffic: Traffic,
}

impl Bench {
    fn new(config: TailConfig, list: &[Policy]) -> Result<Self, Failure> {
        Ok(Bench { sampler: TailSampler::new(config, Policies::new(list)?)?, traffic: Traffic::new() })
    }

    /// Bytes that were kept, so that nothing can be left out.
    fn traces(&mut self, open: u64, spans: u64) -> usize {
        let Bench { sampler, traffic } = self;
        let mut kept = 0;
        let mut keep = |decided: Decided<Span>| {
            if decided.verdict.is_sampled() && decided.trigger != Trigger::Drain {
                kept += decided.spans.iter().map(|span| span.bytes.len()).sum::<usize>();
            }
        };
        traffic.traces(open, spans, |span, now| sampler.offer(span, now, &mut keep));
        kept
    }
}

fn against_a_map(run: &mut Run<'_>, open: u64) -> Result<(), Failure> {
    let mut bench = Bench::new(config(), &[errors()])?;
    let mut traffic = Traffic::new();
    let mut map: HashMap<[u8; 16], Vec<Span>> = HashMap::new();
    let mut roots: VecDeque<(Instant, [u8; 16])> = VecDeque::new();
    let theirs = || {
        let mut kept = 0;
        traffic.traces(open, SPANS, |span, now| {
            while let Some((at, trace)) = roots.front()
                && *at <= now
            {
                let spans = map.remove(trace).unwrap_or_default();
                roots.pop_front();
                if spans.iter().any(|span| span.status == StatusCode::Error) {
                    kept += spans.iter().map(|span| span.bytes.len()).sum::<usize>();
                }
            }
            if span.root {
                roots.push_back((now + GRACE, span.trace));
            }
            map.entry(span.trace).or_default().push(span);
        });
        kept
    };
    run.compare("tail: errors kept", open * SPANS, || bench.traces(open, SPANS), theirs)?;
    let stats = bench.sampler.stats();
    assert_eq!(stats.pressure.sampled + stats.pressure.not_sampled, 0, "there was room for all");
    Ok(())
}
