//! Tests of the whole sampler. Those of its parts are beside them.

mod model;
mod odds;
mod policies;
mod sampler;

use std::time::{Duration, Instant};

use super::*;
use crate::Threshold;

/// A span with little in it.
#[derive(Clone, Debug, PartialEq)]
struct TestSpan {
    trace: u64,
    serial: u64,
    root: bool,
    start: u64,
    end: u64,
    status: StatusCode,
    attributes: Vec<(&'static str, Value)>,
    resource: Vec<(&'static str, Value)>,
    state: String,
    held: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(&'static str),
    Int(i64),
    Double(f64),
    Bool(bool),
    Other,
}

impl TestSpan {
    fn of(trace: u64) -> Self {
        TestSpan {
            trace,
            serial: 0,
            root: false,
            start: 0,
            end: 0,
            status: StatusCode::Unset,
            attributes: Vec::new(),
            resource: Vec::new(),
            state: String::new(),
            held: 0,
        }
    }

    fn root(mut self) -> Self {
        self.root = true;
        self
    }

    fn serial(mut self, serial: u64) -> Self {
        self.serial = serial;
        self
    }

    fn times(mut self, start: u64, end: u64) -> Self {
        (self.start, self.end) = (start, end);
        self
    }

    fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn with(mut self, key: &'static str, value: Value) -> Self {
        self.attributes.push((key, value));
        self
    }

    fn resource(mut self, key: &'static str, value: Value) -> Self {
        self.resource.push((key, value));
        self
    }

    fn state(mut self, state: impl Into<String>) -> Self {
        self.state = state.into();
        self
    }

    fn held(mut self, held: usize) -> Self {
        self.held = held;
        self
    }
}

fn find<'a>(attributes: &'a [(&'static str, Value)], key: &str) -> Option<AttributeValue<'a>> {
    attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| match value {
        Value::Text(text) => AttributeValue::Str(text),
        Value::Int(number) => AttributeValue::Int(*number),
        Value::Double(number) => AttributeValue::Double(*number),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Other => AttributeValue::Other,
    })
}

fn id(trace: u64) -> [u8; 16] {
    u128::from(trace).to_be_bytes()
}

impl TailSpan for TestSpan {
    fn trace_id(&self) -> [u8; 16] {
        id(self.trace)
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
        find(&self.attributes, key)
    }

    fn resource_attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        find(&self.resource, key)
    }

    fn trace_state(&self) -> &str {
        &self.state
    }

    fn held_bytes(&self) -> usize {
        self.held
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policies(policies: &[Policy]) -> Policies {
    Policies::new(policies).expect("they can be meant")
}

fn small() -> TailConfig {
    TailConfig::default().with_num_traces(100).with_decision_cache(100, 100).with_max_bytes(1 << 20)
}

fn sampler(config: TailConfig, list: &[Policy]) -> TailSampler<TestSpan> {
    TailSampler::new(config, policies(list)).expect("it can be meant")
}

/// What a sampler of these policies makes of one trace.
fn decide(list: &[Policy], spans: Vec<TestSpan>) -> Decided<TestSpan> {
    let mut sampler = sampler(small(), list);
    let now = Instant::now();
    let mut out = Vec::new();
    spans.into_iter().for_each(|span| sampler.offer(span, now, |_| panic!("nothing is due")));
    sampler.drain(now, |decided| out.push(decided));
    assert_eq!(out.len(), 1);
    out.remove(0)
}

fn samples(list: &[Policy], spans: Vec<TestSpan>) -> bool {
    decide(list, spans).verdict.is_sampled()
}

fn errors() -> Policy {
    Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] })
}

fn always() -> Policy {
    Policy::new("always", PolicyKind::AlwaysSample)
}

fn share(name: &str, sampling_percentage: f64) -> Policy {
    Policy::new(name, PolicyKind::Probabilistic { sampling_percentage, hash_salt: None })
}

fn text(name: &str, key: &str, value: &str, invert_match: bool) -> Policy {
    let (key, values) = (key.to_owned(), vec![value.to_owned()]);
    Policy::new(
        name,
        PolicyKind::StringAttribute { key, values, matching: TextMatching::Exact, invert_match },
    )
}

fn drop_all(name: &str, of: Vec<Policy>) -> Policy {
    Policy::new(name, PolicyKind::Drop(of))
}

fn not(name: &str, of: Policy) -> Policy {
    Policy::new(name, PolicyKind::Not(Box::new(of)))
}

fn and(name: &str, of: Vec<Policy>) -> Policy {
    Policy::new(name, PolicyKind::And(of))
}
